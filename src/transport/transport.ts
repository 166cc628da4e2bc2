/**
 * What the pump needs of a byte stream. Transports know nothing of TLS.
 *
 * @module
 */

/** An ordered, reliable byte stream in both directions. */
export interface Transport {
  /**
   * Reads at least one byte and returns how many; `null` at the end of the stream. One read at a time.
   *
   * @param room Gives the place for them, which may be memory of the engine: it must not be kept or
   * transferred. It may throw, which rejects the read. It is called once, and as late as can be: a
   * connection that waits holds little then. `available` says how many bytes are there already; 0: that is not known.
   */
  read(room: (available: number) => Uint8Array): Promise<number | null>;
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

/** Connections that the system queues before they are accepted; what its own limit is counts, too. */
export const BACKLOG = 4096;

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
  /**
   * Whether connections that are not accepted wait with the system. Where they do not, whoever
   * listens must go on accepting, and refuse what is too much.
   */
  readonly systemQueues: boolean;
  /** The next connection, or `null` when the listener was closed. Rejects if one is lost. */
  accept(): Promise<Transport | null>;
  /** Stops listening. */
  close(): void;
}
