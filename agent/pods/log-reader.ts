/** Reads a container's log from disk: what is there, and then what comes, over the rotation of its file. */
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { olderLog } from './runtime/log-format.ts'

export interface LogReader {
  /** All bytes that have come since the last call (the first time: since the beginning). Empty if none. */
  read(): Uint8Array
  close(): void
}

const chunkBytes = 64 * 1024

/** @param path of the newer half; there may be an older one beside it, or nothing yet */
export function openLog(path: string): LogReader {
  let fd: number | undefined
  let first = true

  function rest(): Uint8Array {
    if (fd === undefined) return new Uint8Array()
    const chunks: Uint8Array[] = []
    for (;;) {
      const chunk = Buffer.alloc(chunkBytes)
      const count = readSync(fd, chunk, 0, chunkBytes, null)
      if (count === 0) return Buffer.concat(chunks)
      chunks.push(chunk.subarray(0, count))
    }
  }

  function open(): void {
    try {
      fd = openSync(path, 'r')
    } catch {
      fd = undefined
    }
  }

  /** Whether the path stands for another file by now. */
  function moved(): boolean {
    if (fd === undefined) return true
    const now = statSync(path, { throwIfNoEntry: false })
    return now !== undefined && now.ino !== fstatSync(fd).ino
  }

  return {
    read() {
      const parts: Uint8Array[] = []
      if (first) {
        // The newer half is opened first: were it moved meanwhile, it would be read as the older one and not twice.
        open()
        const older = readOlder(path, fd)
        if (older) parts.push(older)
        first = false
      }
      parts.push(rest())
      if (moved()) {
        // Something may have been written before the move and after the read.
        parts.push(rest())
        if (fd !== undefined) closeSync(fd)
        open()
        parts.push(rest())
      }
      return Buffer.concat(parts)
    },
    close() {
      if (fd !== undefined) closeSync(fd)
      fd = undefined
    },
  }
}

/** The older half, unless it is the very file that is open already. */
function readOlder(path: string, fd: number | undefined): Uint8Array | undefined {
  const older = statSync(olderLog(path), { throwIfNoEntry: false })
  if (!older || (fd !== undefined && fstatSync(fd).ino === older.ino)) return undefined
  try {
    return readFileSync(olderLog(path))
  } catch {
    return undefined
  }
}
