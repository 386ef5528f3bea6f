// SPDX-License-Identifier: Apache-2.0
/** What every source is once it is open: bytes that can be read as often as wanted, and what lies beside them. */
/** An open source. */
export interface ByteStream {
  /** For messages: the path, the URL, or 'bytes'. */
  readonly name: string
  /** Bytes in all, where known. */
  readonly size?: number
  /** The content in pieces, front to back. A piece is the consumer's to keep. */
  stream(signal?: AbortSignal): AsyncIterable<Uint8Array>
  /** The whole content. */
  bytes(signal?: AbortSignal): Promise<Uint8Array>
  /** Opens what lies at a relative path beside this source. @throws SourceError for bytes in memory */
  resolve(relative: string, signal?: AbortSignal): Promise<ByteStream>
}
