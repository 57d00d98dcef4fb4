/** The laws of a container runtime, for the one in memory and for the real one. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createInbox, type CallInput, type Inbox } from '../../api/call-flow.ts'
import { isWherryError, type ErrorCode } from '../../api/errors.ts'
import type { AttachSpec, ContainerSpec, ContainerState, Runtime } from '../../agent/pods/runtime/runtime.ts'

/** What a container does: serve until it is told to end, end by itself, fail to start, or say what it reads until that ends. */
export type Program =
  | { readonly kind: 'serve' }
  | { readonly kind: 'end'; readonly code: number }
  | { readonly kind: 'broken' }
  | { readonly kind: 'repeat'; readonly stdin?: boolean; readonly stdinOnce?: boolean }

export interface Subject {
  readonly runtime: Runtime
  /** An image that is on the node. */
  readonly image: string
  /** One that no registry has. */
  readonly absentImage: string
  spec(id: string, program: Program): ContainerSpec
  /** Makes what a program does by itself happen, where it does not. */
  act(id: string, program: Program): void
}

export const laws = [
  'a container runs with its labels, image and process',
  'a second container of the same name is refused, and the first goes on',
  'an image that is not there is refused',
  'a command that cannot be started leaves nothing behind',
  'an exit code is kept, and the time',
  'a running container is not removed, an ended one is, a missing one is no error',
  'SIGTERM ends a container that listens, and a signal to an ended or missing one is no error',
  'SIGKILL ends with 137',
  'a watcher is told of an end, until it goes',
  'an image that no registry has cannot be pulled',
  'a command runs beside the container: its outputs, its input, its exit code',
  'a command that is not there, or in a container that is not, is refused',
  'a container without a stdin reads the end at once',
  'a stdin that is for one ends with the one, who hears the rest',
  'a stdin that is for one ends with who goes away, too',
  'a stdin that is for many stays open; all hear what is said to all',
  'a megabyte that goes in comes out the same',
  'a runtime has a name and a version',
] as const

const deadline = (): AbortSignal => AbortSignal.timeout(20_000)

/** Lists again at each change until the container is as wished. */
export async function until(runtime: Runtime, id: string, wished: (state: ContainerState | undefined) => boolean): Promise<ContainerState | undefined> {
  const signal = deadline()
  let wake = (): void => {}
  const stop = runtime.watch(() => wake())
  try {
    for (;;) {
      const changed = new Promise<void>((resolve, reject) => {
        wake = resolve
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
      const state = (await runtime.list(signal)).find((c) => c.id === id)
      if (wished(state)) {
        changed.catch(() => {})
        return state
      }
      await changed
    }
  } finally {
    stop()
  }
}

export async function refusal(promise: Promise<unknown>): Promise<ErrorCode | 'none'> {
  const e: unknown = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  )
  if (e === undefined) return 'none'
  if (!isWherryError(e)) throw e
  return e.code
}

/** Somebody who attaches. */
export interface Visitor {
  say(words: string): void
  /** Says it, and waits until it was heard back, or the answer. */
  hears(words: string, answer?: string): Promise<void>
  resize(width: number, height: number): void
  /** Nothing more is said. */
  hush(): void
  /** All that was heard, when it has ended. */
  readonly ended: Promise<string>
  leave(): void
}

export function visit(runtime: Runtime, spec: AttachSpec): Visitor {
  const input: Inbox<CallInput> = createInbox({ give: () => {}, room: Infinity })
  const leaving = new AbortController()
  const signal = AbortSignal.any([leaving.signal, deadline()])
  let heard = ''
  let stir = Promise.withResolvers<void>()
  const listen = async (): Promise<string> => {
    for await (const part of runtime.attach(spec, input, signal)) {
      if (part.kind !== 'exit') heard += Buffer.from(part.bytes).toString('latin1')
      stir.resolve()
      stir = Promise.withResolvers()
    }
    return heard
  }
  const ended = listen()
  ended.catch(() => {})
  const say = (words: string): void => void input.put({ kind: 'bytes', bytes: Buffer.from(words) }, 0)
  return {
    ended,
    say,
    resize: (width, height) => void input.put({ kind: 'resize', width, height }, 0),
    async hears(words, answer = words) {
      say(words)
      while (!heard.includes(answer)) await Promise.race([stir.promise, ended.then(() => Promise.reject(new Error(`it ended after: ${heard}`)))])
    },
    hush: () => input.end(),
    leave: () => leaving.abort(new DOMException('the visitor leaves', 'AbortError')),
  }
}

/** Defines one test for each law. @param subject called when the tests run */
export function runtimeLaws(subject: () => Subject): void {
  const find = async (id: string): Promise<ContainerState | undefined> => (await subject().runtime.list(deadline())).find((c) => c.id === id)
  const start = async (id: string, program: Program): Promise<void> => {
    await subject().runtime.run(subject().spec(id, program), deadline())
    subject().act(id, program)
  }
  const end = async (id: string): Promise<void> => {
    await subject().runtime.kill(id, 'SIGKILL', deadline())
    await until(subject().runtime, id, (c) => c?.phase === 'exited')
    await subject().runtime.remove(id, deadline())
  }
  const over = async (id: string): Promise<void> => {
    expect(await until(subject().runtime, id, (c) => c?.phase === 'exited')).toMatchObject({ exitCode: 0 })
    await subject().runtime.remove(id, deadline())
  }
  const one = { stdin: true, stdinOnce: true }
  const proofs: Readonly<Record<(typeof laws)[number], () => Promise<void>>> = {
    'a container runs with its labels, image and process': async () => {
      await start('one', { kind: 'serve' })
      const state = await find('one')
      expect(state).toMatchObject({ phase: 'running', image: subject().image, labels: subject().spec('one', { kind: 'serve' }).labels })
      expect(state?.phase === 'running' && state.pid).toBeGreaterThan(0)
      expect(state?.imageId).toMatch(/^sha256:/)
      expect(Date.parse(state?.createdAt ?? '')).toBeGreaterThan(0)
      await end('one')
    },
    'a second container of the same name is refused, and the first goes on': async () => {
      await start('twice', { kind: 'serve' })
      expect(await refusal(start('twice', { kind: 'serve' }))).toBe('CONTAINER_CREATE')
      expect((await find('twice'))?.phase).toBe('running')
      await end('twice')
    },
    'an image that is not there is refused': async () => {
      const spec = { ...subject().spec('bare', { kind: 'serve' }), image: subject().absentImage }
      expect(await subject().runtime.hasImage(subject().absentImage, deadline())).toBe(false)
      expect(await refusal(subject().runtime.run(spec, deadline()))).toBe('IMAGE_ABSENT')
      expect(await find('bare')).toBeUndefined()
    },
    'a command that cannot be started leaves nothing behind': async () => {
      expect(await refusal(start('broken', { kind: 'broken' }))).toBe('CONTAINER_CREATE')
      expect(await find('broken')).toBeUndefined()
      await start('broken', { kind: 'serve' })
      await end('broken')
    },
    'an exit code is kept, and the time': async () => {
      for (const code of [0, 7]) {
        await start(`ends-${code}`, { kind: 'end', code })
        const state = await until(subject().runtime, `ends-${code}`, (c) => c?.phase === 'exited')
        expect(state).toMatchObject({ phase: 'exited', exitCode: code })
        expect(state?.phase === 'exited' && Date.parse(state.finishedAt ?? '')).toBeGreaterThan(0)
        expect(await find(`ends-${code}`)).toEqual(state)
        await subject().runtime.remove(`ends-${code}`, deadline())
      }
    },
    'a running container is not removed, an ended one is, a missing one is no error': async () => {
      await start('stays', { kind: 'serve' })
      expect(await refusal(subject().runtime.remove('stays', deadline()))).toBe('CONTAINER_CREATE')
      expect((await find('stays'))?.phase).toBe('running')
      await end('stays')
      expect(await find('stays')).toBeUndefined()
      await subject().runtime.remove('stays', deadline())
    },
    'SIGTERM ends a container that listens, and a signal to an ended or missing one is no error': async () => {
      await start('listens', { kind: 'serve' })
      await subject().runtime.kill('listens', 'SIGTERM', deadline())
      await until(subject().runtime, 'listens', (c) => c?.phase === 'exited')
      await subject().runtime.kill('listens', 'SIGTERM', deadline())
      await subject().runtime.remove('listens', deadline())
      await subject().runtime.kill('listens', 'SIGKILL', deadline())
    },
    'SIGKILL ends with 137': async () => {
      await start('killed', { kind: 'serve' })
      await subject().runtime.kill('killed', 'SIGKILL', deadline())
      expect(await until(subject().runtime, 'killed', (c) => c?.phase === 'exited')).toMatchObject({ exitCode: 137 })
      await subject().runtime.remove('killed', deadline())
    },
    'a watcher is told of an end, until it goes': async () => {
      let calls = 0
      const stop = subject().runtime.watch(() => calls++)
      await start('watched', { kind: 'serve' })
      await end('watched')
      expect(calls).toBeGreaterThan(0)
      stop()
      const before = calls
      await start('unwatched', { kind: 'serve' })
      await end('unwatched')
      expect(calls).toBe(before)
    },
    'an image that no registry has cannot be pulled': async () => {
      expect(await refusal(subject().runtime.pullImage(subject().absentImage, deadline()))).toBe('IMAGE_PULL')
      expect(await subject().runtime.hasImage(subject().image, deadline())).toBe(true)
    },
    'a command runs beside the container: its outputs, its input, its exit code': async () => {
      await start('busy', { kind: 'serve' })
      const input: readonly CallInput[] = [{ kind: 'bytes', bytes: Buffer.from('hello') }]
      const said = async (command: readonly string[]): Promise<unknown[]> => {
        const parts = await Array.fromAsync(subject().runtime.exec({ id: 'busy', command, stdin: true, tty: false }, ReadableStream.from(input), deadline()))
        return parts.map((part) => (part.kind === 'exit' ? part : { ...part, bytes: Buffer.from(part.bytes).toString() }))
      }
      expect(await said(['cat'])).toEqual([{ kind: 'out', bytes: 'hello' }, { kind: 'exit', code: 0 }])
      expect(await said(['sh', '-c', 'echo no >&2; exit 3'])).toEqual([{ kind: 'err', bytes: 'no\n' }, { kind: 'exit', code: 3 }])
      await end('busy')
    },
    'a command that is not there, or in a container that is not, is refused': async () => {
      await start('idle', { kind: 'serve' })
      const run = (id: string, command: string): Promise<unknown> =>
        Array.fromAsync(subject().runtime.exec({ id, command: [command], stdin: false, tty: false }, ReadableStream.from<CallInput>([]), deadline()))
      expect(await refusal(run('idle', 'nonesuch'))).toBe('CONTAINER_EXEC')
      expect(await refusal(run('gone', 'cat'))).toBe('CONTAINER_UNKNOWN')
      expect((await find('idle'))?.phase).toBe('running')
      await end('idle')
    },
    'a container without a stdin reads the end at once': async () => {
      await start('deaf', { kind: 'repeat' })
      await over('deaf')
    },
    'a stdin that is for one ends with the one, who hears the rest': async () => {
      await start('for-one', { kind: 'repeat', ...one })
      const visitor = visit(subject().runtime, { id: 'for-one', ...one })
      await visitor.hears('hello')
      visitor.hush()
      await over('for-one')
      expect(await visitor.ended).toBe('hello')
    },
    'a stdin that is for one ends with who goes away, too': async () => {
      await start('left', { kind: 'repeat', ...one })
      const visitor = visit(subject().runtime, { id: 'left', ...one })
      await visitor.hears('hello')
      visitor.leave()
      await expect(visitor.ended).rejects.toThrow('the visitor leaves')
      await over('left')
    },
    'a stdin that is for many stays open; all hear what is said to all': async () => {
      await start('for-many', { kind: 'repeat', stdin: true })
      const stays = visit(subject().runtime, { id: 'for-many', stdin: true })
      await stays.hears('here;')
      for (const words of ['one;', 'two;']) {
        const visitor = visit(subject().runtime, { id: 'for-many', stdin: true })
        await visitor.hears(words)
        visitor.hush()
        expect(await visitor.ended).toBe(words)
      }
      await stays.hears('still here;')
      stays.leave()
      await stays.ended.catch(() => {})
      expect((await find('for-many'))?.phase).toBe('running')
      await end('for-many')
    },
    'a megabyte that goes in comes out the same': async () => {
      await start('bulk', { kind: 'repeat', ...one })
      const bytes = Buffer.alloc(1_000_003, Buffer.from(Array.from({ length: 251 }, (_, i) => i)))
      const hash = createHash('sha256')
      const input = ReadableStream.from<CallInput>([{ kind: 'bytes', bytes: bytes.subarray(0, 7) }, { kind: 'bytes', bytes: bytes.subarray(7) }])
      const heard = Array.fromAsync(subject().runtime.attach({ id: 'bulk', ...one }, input, deadline()), (part) => {
        if (part.kind === 'out') hash.update(part.bytes)
      })
      await over('bulk')
      await heard
      expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'))
    },
    'a runtime has a name and a version': async () => {
      expect(await subject().runtime.version(deadline())).toMatch(/^containerd:\/\/\d+\.\d+/)
    },
  }
  test.each(laws)('%s', (law) => proofs[law]())
}
