/** A client of etcd: unary calls to whichever server answers, and watches. */
import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { Client, connectivityState, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js'
import type { Clock } from '../../../api/clock.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { StoreError } from '../error.ts'
import {
  createMethods,
  type Header,
  type Method,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
  type TxnResponse,
  type WatchResponse,
} from './messages.ts'

/** PEM texts. */
export interface EtcdTls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export interface EtcdClientOptions {
  /** http or https URLs; any number of one cluster's servers. */
  readonly servers: readonly string[]
  readonly tls?: EtcdTls
  readonly clock: Clock
  readonly log: Log
}

export interface EtcdClient {
  /** A linearizable read. @throws StoreError STORE_LOST, STORE_COMPACTED, STORE_BROKEN */
  range(request: RangeRequest): Promise<RangeResponse>
  /** @throws StoreError STORE_LOST (it may have been done or not), STORE_TOO_LARGE, STORE_BROKEN */
  txn(request: TxnRequest): Promise<TxnResponse>
  /** Gives up the history up to this revision. @throws as `range`; STORE_COMPACTED where it was done already */
  compact(revision: number): Promise<Header>
  /** Every event from this revision on, in order. Resolves with the reason when it ends, and calls no more then. */
  watch(startRevision: number, onResponse: (response: WatchResponse) => void, signal: AbortSignal): Promise<StoreError>
  close(): void
}

/** Milliseconds. */
const deadlines = { connect: 3_000, call: 5_000, read: 10_000 } as const

const channelOptions = {
  // What lists and watches bring is bounded by what is in the store.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  // A server that vanished without a word is noticed; etcd refuses pings that come more often than every 5 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
} as const

/** Every key there is: from the first one on without an end. */
const everyKey = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) } as const

/** @throws StoreError STORE_BROKEN for URLs or PEM texts that cannot be used */
export function createEtcdClient({ servers, tls, clock, log }: EtcdClientOptions): EtcdClient {
  const methods = createMethods()
  const clients = servers.map((url) => openClient(url, tls))
  /** The one that answered last. */
  let chosen = 0

  const leave = (client: Client, why: unknown): void => {
    if (clients[chosen] !== client) return
    log.warn('a server of etcd does not answer', { server: servers[chosen], ...errorKeys(why) })
    chosen = (chosen + 1) % clients.length
    // So that there is somewhere to go when the next one asks.
    for (const other of clients) other.getChannel().getConnectivityState(true)
  }

  const stands = (i: number): boolean => clients[i]!.getChannel().getConnectivityState(true) === connectivityState.READY
  /**
   * A server with a connection that stands: the one that answered last, or one after it, or else whichever comes first. Nothing
   * has been asked of it yet, so the choice is free.
   */
  const connected = async (): Promise<Client> => {
    const turn = clients.map((_, i) => (chosen + i) % clients.length)
    try {
      chosen = turn.find(stands) ?? (await Promise.any(turn.map((i) => ready(clients[i]!, clock.now() + deadlines.connect).then(() => i))))
    } catch (e) {
      const causes = (e as AggregateError).errors as readonly unknown[]
      throw new StoreError('STORE_LOST', `no server of etcd is reached: ${servers.join(', ')}`, { cause: causes[0] })
    }
    return clients[chosen]!
  }

  const call = async <Q, A>(method: Method<Q, A>, request: Q): Promise<A> => {
    const client = await connected()
    try {
      return await unary(client, method, { request, clock })
    } catch (e) {
      if (e instanceof StoreError && e.code === 'STORE_LOST') leave(client, e)
      throw e
    }
  }
  /** Only what reads may be asked of the next server. */
  const read = async <Q, A>(method: Method<Q, A>, request: Q): Promise<A> => {
    const until = clock.now() + deadlines.read
    for (let tried = 1; ; tried++) {
      try {
        return await call(method, request)
      } catch (e) {
        const again = e instanceof StoreError && e.code === 'STORE_LOST' && tried < clients.length && clock.now() < until
        if (!again) throw e
      }
    }
  }

  return {
    range: (request) => read(methods.range, request),
    txn: (request) => call(methods.txn, request),
    compact: (revision) => call(methods.compact, { revision }),
    async watch(startRevision, onResponse, signal) {
      let client: Client
      try {
        client = await connected()
      } catch (e) {
        return e as StoreError
      }
      const why = await stream(client, methods.watch, { request: { create: { ...everyKey, startRevision } }, onResponse, signal })
      if (why.code === 'STORE_LOST') leave(client, why)
      return why
    },
    close: () => clients.forEach((client) => client.close()),
  }
}

function openClient(url: string, tls: EtcdTls | undefined): Client {
  try {
    const { protocol, host, hostname } = new URL(url)
    if (protocol === 'http:') return new Client(host, credentials.createInsecure(), channelOptions)
    const pem = (text: string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text))
    const address = hostname.replace(/^\[|\]$/g, '')
    // TLS has no way to ask for an address by name (RFC 6066, 3), and Node refuses to try: another name is asked for, which
    // etcd does not look at, and the certificate is held against the address.
    const byAddress = isIP(address) !== 0
    const checks = byAddress ? { checkServerIdentity: (_name: string, cert: PeerCertificate) => checkServerIdentity(address, cert) } : {}
    return new Client(host, credentials.createSsl(pem(tls?.ca), pem(tls?.key), pem(tls?.cert), checks), {
      ...channelOptions,
      ...(byAddress && { 'grpc.ssl_target_name_override': 'etcd' }),
    })
  } catch (e) {
    throw new StoreError('STORE_BROKEN', `etcd at ${url} cannot be used: ${(e as Error).message}`, { cause: e })
  }
}

function ready(client: Client, deadline: number): Promise<void> {
  return new Promise((resolve, reject) => client.waitForReady(deadline, (e) => (e ? reject(e) : resolve())))
}

interface UnaryCall<Q> {
  readonly request: Q
  readonly clock: Clock
}

function unary<Q, A>(client: Client, method: Method<Q, A>, { request, clock }: UnaryCall<Q>): Promise<A> {
  return new Promise((resolve, reject) => {
    const { path, encode, decode } = method
    const cancel = clock.after(deadlines.call, () => sent.cancel())
    const sent = client.makeUnaryRequest(path, encode, decode, request, (e, answer) => {
      cancel()
      if (e) reject(storeError(e))
      else resolve(answer!)
    })
  })
}

interface Stream<Q, A> {
  readonly request: Q
  readonly onResponse: (response: A) => void
  readonly signal: AbortSignal
}

function stream<Q, A>(client: Client, method: Method<Q, A>, { request, onResponse, signal }: Stream<Q, A>): Promise<StoreError> {
  return new Promise((resolve) => {
    // A server that has lost its leader ends the watch, so that it goes on at another one.
    const metadata = new Metadata()
    metadata.set('hasleader', 'true')
    const call = client.makeBidiStreamRequest(method.path, method.encode, method.decode, metadata)
    let ended = false
    const end = (why: StoreError): void => {
      if (ended) return
      ended = true
      signal.removeEventListener('abort', abort)
      call.cancel()
      resolve(why)
    }
    const abort = (): void => end(new StoreError('STORE_CLOSED', 'the watch was stopped'))
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    call.on('data', (answer: A) => {
      if (ended) return
      try {
        onResponse(answer)
      } catch (e) {
        end(e instanceof StoreError ? e : new StoreError('STORE_BROKEN', `what etcd told could not be taken: ${(e as Error).message}`, { cause: e }))
      }
    })
    call.on('error', (e: ServiceError) => end(storeError(e)))
    call.on('end', () => end(new StoreError('STORE_LOST', 'etcd ended the watch')))
    call.write(request)
  })
}

/** What etcd answers when it cannot answer now. */
const passing: readonly status[] = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED, status.UNKNOWN]

/** etcd's answers, in the store's words. */
function storeError(e: ServiceError): StoreError {
  const said = e.details || e.message
  if (passing.includes(e.code)) return new StoreError('STORE_LOST', `etcd did not answer: ${said}`, { cause: e })
  if (e.code === status.OUT_OF_RANGE) return new StoreError('STORE_COMPACTED', `etcd has not kept that revision: ${said}`, { cause: e })
  if (e.code === status.INVALID_ARGUMENT) return new StoreError('STORE_TOO_LARGE', `etcd does not take so much at once: ${said}`, { cause: e })
  return new StoreError('STORE_BROKEN', `etcd refused a request: ${said}`, { cause: e })
}
