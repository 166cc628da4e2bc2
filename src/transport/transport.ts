/**
 * What the pump needs of a byte stream. Transports know nothing of TLS.
 *
 * @module
 */

/** An ordered, reliable byte stream in both directions. */
export interface Transport {
  /**
   * Reads at least one byte into `into`, which may be memory of the engine: it must not be kept
   * or transferred. `null` at the end of the stream. One read at a time. Engine memory that grows
   * meanwhile detaches `into`: a transport that finds it empty then returns 0 and keeps the bytes.
   */
  read(into: Uint8Array): Promise<number | null>;
  /**
   * Writes at least one of `bytes` and returns how many. They may be memory of the engine, and
   * must not be kept or transferred beyond the promise, nor looked at again after a wait: engine
   * memory that grows detaches them. One write at a time.
   */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends both directions now; a read or write under way settles. A second call does nothing. */
  close(): void;
  /** Ends this side's direction: what was written still arrives. Optional. */
  closeWrite?(): Promise<void>;
}

/** Where a listener listens. */
export interface ListenAddress {
  /** An IP address. */
  hostname: string;
  /** A port. */
  port: number;
}

/** Accepts TCP connections one after the other. */
export interface TransportListener {
  /** The address it got. */
  readonly address: ListenAddress;
  /** The next connection, or `null` when the listener was closed. Rejects if one is lost. */
  accept(): Promise<Transport | null>;
  /** Stops listening. */
  close(): void;
}
