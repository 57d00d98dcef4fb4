/** One small file for each process of the lab, so that a later supervisor, `up` or `down` knows it again. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CliError } from '../error.ts'
import type { Identity, Processes } from './process.ts'

export interface ProcessRecord extends Identity {
  readonly name: string
  readonly argv: readonly string[]
}

export interface Records {
  write(record: ProcessRecord): void
  read(name: string): ProcessRecord | undefined
  drop(name: string): void
  all(): readonly ProcessRecord[]
}

export function createRecords(dir: string): Records {
  const file = (name: string): string => join(dir, `${name}.json`)
  const read = (name: string): ProcessRecord | undefined => {
    try {
      return JSON.parse(readFileSync(file(name), 'utf8')) as ProcessRecord
    } catch {
      return undefined
    }
  }
  return {
    write(record) {
      mkdirSync(dir, { recursive: true, mode: 0o700 })
      writeFileSync(`${file(record.name)}.new`, JSON.stringify(record), { mode: 0o600 })
      renameSync(`${file(record.name)}.new`, file(record.name))
    },
    read,
    drop: (name) => rmSync(file(name), { force: true }),
    all() {
      const names = listed(dir)
        .filter((name) => name.endsWith('.json'))
        .map((name) => name.slice(0, -5))
      return names.map(read).filter((record) => record !== undefined)
    },
  }
}

/**
 * Makes sure that one `up` or `down` at a time works on a lab. The holder's death frees it.
 * @returns the way to let go of it
 * @throws CliError USAGE naming the process that holds it
 */
export function holdLab(runDir: string, processes: Processes): () => void {
  mkdirSync(runDir, { recursive: true, mode: 0o700 })
  const file = join(runDir, 'holder.json')
  const mine = JSON.stringify(processes.identify(process.pid))
  for (let tries = 0; tries < 2; tries++) {
    try {
      writeFileSync(file, mine, { flag: 'wx', mode: 0o600 })
      return () => rmSync(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = parsed(file)
    if (holder && processes.isAlive(holder)) {
      throw new CliError(
        'USAGE',
        `another wherry (process ${holder.pid}) is working on this lab`,
        'wait until it has ended, then try again',
      )
    }
    rmSync(file, { force: true })
  }
  throw new CliError('USAGE', 'another wherry took this lab at the same moment', 'wait until it has ended, then try again')
}

function parsed(file: string): Identity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Identity
  } catch {
    return undefined
  }
}

function listed(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}
