/** A worker that fails while it loads. */
throw new RangeError("broken on purpose");
