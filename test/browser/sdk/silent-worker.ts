/** A worker that loads and then says nothing. */
export {};
