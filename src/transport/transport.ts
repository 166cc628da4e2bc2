/**
 * What the pump needs of a byte stream. Transports know nothing of TLS.
 *
 * @module
 */

/** An ordered, reliable byte stream in both directions. */
export interface Transport {
  /**
   * Reads at least one byte into `into`, which may be memory of the engine: it must not be kept
   * or transferred. `null` at the end of the stream. One read at a time.
   */
  read(into: Uint8Array): Promise<number | null>;
  /**
   * Writes all of `bytes`, which may be memory of the engine: it must not be kept or transferred
   * beyond the promise. One write at a time.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends both directions now; a read or write under way settles. A second call does nothing. */
  close(): void;
}
