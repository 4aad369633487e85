/** The control operations by which a stream's retention is held: argument and answer. */

/**
 * Operations of those who still need a stream's records. Each is one step, durable when it resolves, and changes
 * nothing when it is made again. The stream bears the tags `millrace.hold.<holder>` and `millrace.held` meanwhile.
 */
export interface HoldOperations {
  /**
   * Has the retention be so many hours (24 to 8,760) or longer until the holder (1 to 114 characters) gives it up. Where
   * it has to rise (IncreaseStreamRetentionPeriod), it rises to a day more than that.
   * @throws ResourceNotFoundError, ResourceInUseError, AccessDeniedError, StoreFullError; InvalidArgumentError, also for
   * a stream that has no room for the tags.
   */
  retentionHold(argument: { streamName: string; holder: string; hours: number }): null;
  /**
   * Gives the hold up; without one it changes nothing. When it was the last one, the retention goes back to what it was
   * before the first one (DecreaseStreamRetentionPeriod), unless somebody has set another one meanwhile: that stays.
   * @throws ResourceNotFoundError, ResourceInUseError, AccessDeniedError, StoreFullError, InvalidArgumentError.
   */
  retentionRelease(argument: { streamName: string; holder: string }): null;
}
