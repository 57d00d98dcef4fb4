/** Fetches a copy of what a hub stores into a file. */
import { createWriteStream, existsSync, openSync, readSync, closeSync, renameSync, rmSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { hubPaths } from '../api/hub.ts'
import { CliError } from './error.ts'
import type { HubClient } from './hub.ts'

/** The first bytes of every SQLite file. */
const magic = 'SQLite format 3\0'

/**
 * Writes the file, mode 0600, whole or not at all.
 * @returns its size in bytes
 * @throws CliError USAGE where the file is there already, LINK_LOST, LINK_REFUSED with the hub's words
 */
export async function fetchSnapshot(hub: Pick<HubClient, 'stream'>, file: string, signal: AbortSignal): Promise<number> {
  if (existsSync(file)) throw new CliError('USAGE', `${file} is there already`, 'choose another name, or move it away')
  const draft = `${file}.part`
  try {
    const bytes = await hub.stream(hubPaths.snapshot, signal)
    const out = createWriteStream(draft, { mode: 0o600, flush: true })
    await pipeline(bytes, out, { signal })
    checkBeginning(draft, file)
    renameSync(draft, file)
    return out.bytesWritten
  } catch (e) {
    rmSync(draft, { force: true })
    throw e
  }
}

function checkBeginning(draft: string, file: string): void {
  const head = Buffer.alloc(magic.length)
  const from = openSync(draft, 'r')
  readSync(from, head)
  closeSync(from)
  if (head.toString('latin1') === magic) return
  throw new CliError('LINK_LOST', `what the hub sent for ${file} is no database`, "the hub's log tells more")
}
