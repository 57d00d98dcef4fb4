/** Checks of core/v1 Container. */
import type { Container } from '../../../api/objects.ts'
import { duplicate, forbidden, missing, required, wrong, type Causes } from '../causes.ts'
import { validateResources } from './amounts.ts'
import { text, unique } from './meta.ts'
import { dnsLabel, fileKey, ianaPortName, isPort, portRule } from './names.ts'

type ContainerPort = NonNullable<Container['ports']>[number]
type EnvVar = NonNullable<Container['env']>[number]
type Probe = NonNullable<Container['livenessProbe']>

/** What a container's pod says about it. */
export interface Surroundings {
  readonly volumes: ReadonlySet<string>
  readonly hostNetwork: boolean
}

export function* validateContainer(field: string, container: Container, around: Surroundings): Causes {
  yield* text(`${field}.name`, container.name, dnsLabel)
  const { image = '' } = container
  if (image.trim() === '') yield required(`${field}.image`, 'must name an image')
  else if (image !== image.trim()) yield wrong(`${field}.image`, image, 'must not have leading or trailing whitespace')
  yield* validatePorts(`${field}.ports`, container.ports ?? [], around)
  for (const [i, env] of (container.env ?? []).entries()) yield* validateEnv(`${field}.env[${i}]`, env)
  yield* validateEnvFrom(`${field}.envFrom`, container.envFrom ?? [])
  if (container.resources) yield* validateResources(`${field}.resources`, container.resources)
  yield* validateMounts(`${field}.volumeMounts`, container.volumeMounts ?? [], around)
  for (const kind of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[kind]
    if (probe) yield* validateProbe(`${field}.${kind}`, probe, kind)
  }
  for (const hook of ['postStart', 'preStop'] as const) {
    const handler = container.lifecycle?.[hook]
    if (handler) yield* validateHandler(`${field}.lifecycle.${hook}`, handler, ['exec', 'httpGet', 'sleep', 'tcpSocket'])
  }
}

function* validatePorts(field: string, ports: readonly ContainerPort[], { hostNetwork }: Surroundings): Causes {
  for (const [i, port] of ports.entries()) {
    const at = `${field}[${i}]`
    if (port.name !== undefined) yield* text(`${at}.name`, port.name, ianaPortName)
    if (!isPort(port.containerPort)) yield wrong(`${at}.containerPort`, port.containerPort, portRule)
    if (!port.hostPort) continue
    if (!isPort(port.hostPort)) yield wrong(`${at}.hostPort`, port.hostPort, portRule)
    else if (hostNetwork && port.hostPort !== port.containerPort) {
      yield wrong(`${at}.hostPort`, port.hostPort, 'must equal `containerPort` where `hostNetwork` is true')
    }
  }
  yield* unique(
    ports.map((p) => p.name),
    (i) => `${field}[${i}].name`,
  )
}

function* validateEnv(field: string, { name, value, valueFrom }: EnvVar): Causes {
  if (name === '') yield required(`${field}.name`)
  else if (!/^[ -<>-~]+$/.test(name)) yield wrong(`${field}.name`, name, "must be printable ASCII characters other than '='")
  if (!valueFrom) return
  if (value) yield wrong(`${field}.valueFrom`, '', 'may not be given where `value` is')
  const given = Object.keys(valueFrom)
  if (given.length !== 1) {
    yield wrong(
      `${field}.valueFrom`,
      given,
      'must have exactly one of `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef`',
    )
  }
  for (const source of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const ref = valueFrom[source]
    if (!ref) continue
    if (!ref.name) yield required(`${field}.valueFrom.${source}.name`)
    yield* text(`${field}.valueFrom.${source}.key`, ref.key, fileKey)
  }
  if (valueFrom.fieldRef?.fieldPath === '') yield required(`${field}.valueFrom.fieldRef.fieldPath`)
  if (valueFrom.resourceFieldRef?.resource === '') yield required(`${field}.valueFrom.resourceFieldRef.resource`)
}

function* validateEnvFrom(field: string, sources: NonNullable<Container['envFrom']>): Causes {
  for (const [i, { configMapRef, secretRef }] of sources.entries()) {
    const at = `${field}[${i}]`
    if ((configMapRef === undefined) === (secretRef === undefined))
      yield wrong(at, sources[i], 'must have exactly one of `configMapRef`, `secretRef`')
    if (configMapRef && !configMapRef.name) yield required(`${at}.configMapRef.name`)
    if (secretRef && !secretRef.name) yield required(`${at}.secretRef.name`)
  }
}

function* validateMounts(field: string, mounts: NonNullable<Container['volumeMounts']>, { volumes }: Surroundings): Causes {
  for (const [i, mount] of mounts.entries()) {
    const at = `${field}[${i}]`
    if (mount.name === '') yield required(`${at}.name`)
    else if (!volumes.has(mount.name)) yield missing(`${at}.name`, mount.name)
    if (mount.mountPath === '') yield required(`${at}.mountPath`)
    if (mount.subPath && mount.subPathExpr)
      yield wrong(`${at}.subPathExpr`, mount.subPathExpr, 'may not be given where `subPath` is')
    if (mount.subPath && (mount.subPath.startsWith('/') || mount.subPath.split('/').includes('..'))) {
      yield wrong(`${at}.subPath`, mount.subPath, "must be a relative path without '..'")
    }
  }
  const seen = new Set<string>()
  for (const [i, { mountPath }] of mounts.entries()) {
    if (seen.has(mountPath)) yield wrong(`${field}[${i}].mountPath`, mountPath, 'must be unique')
    seen.add(mountPath)
  }
}

const probeHandlers = ['exec', 'grpc', 'httpGet', 'tcpSocket'] as const

function* validateProbe(field: string, probe: Probe, kind: string): Causes {
  yield* validateHandler(field, probe, probeHandlers)
  for (const key of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const) {
    const value = probe[key] ?? 0
    if (value < 0) yield wrong(`${field}.${key}`, value, 'must be greater than or equal to 0')
  }
  if (kind !== 'readinessProbe' && (probe.successThreshold ?? 1) !== 1)
    yield wrong(`${field}.successThreshold`, probe.successThreshold, 'must be 1')
  if (probe.terminationGracePeriodSeconds !== undefined) {
    if (kind === 'readinessProbe')
      yield forbidden(`${field}.terminationGracePeriodSeconds`, 'may not be given on a readiness probe, which stops nothing')
    else if (probe.terminationGracePeriodSeconds < 1)
      yield wrong(`${field}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, 'must be greater than 0')
  }
}

type Handler = Pick<Probe, 'exec' | 'grpc' | 'httpGet' | 'tcpSocket'>

function* validateHandler(field: string, handler: Handler, allowed: readonly string[]): Causes {
  const given = allowed.filter((name) => (handler as Readonly<Record<string, unknown>>)[name] !== undefined)
  if (given.length !== 1) {
    const names = allowed.map((n) => `\`${n}\``).join(', ')
    yield given.length === 0
      ? required(field, `must have one of ${names}`)
      : forbidden(`${field}.${given[1]}`, `may have only one of ${names}`)
  }
  const { exec, httpGet, tcpSocket, grpc } = handler
  if (exec && !exec.command?.length) yield required(`${field}.exec.command`)
  if (httpGet) yield* validateProbePort(`${field}.httpGet.port`, httpGet.port)
  if (tcpSocket) yield* validateProbePort(`${field}.tcpSocket.port`, tcpSocket.port)
  if (grpc && !isPort(grpc.port)) yield wrong(`${field}.grpc.port`, grpc.port, portRule)
}

export function* validateProbePort(field: string, port: string | number): Causes {
  if (typeof port === 'string') yield* text(field, port, ianaPortName)
  else if (!isPort(port)) yield wrong(field, port, portRule)
}

/** Two containers of a pod cannot have the same port of the host. */
export function* validateHostPorts(lists: readonly (readonly [string, readonly Container[]])[]): Causes {
  const seen = new Set<string>()
  for (const [field, containers] of lists) {
    for (const [i, container] of containers.entries()) {
      for (const [j, { hostPort, protocol = 'TCP', hostIP = '' }] of (container.ports ?? []).entries()) {
        if (!hostPort) continue
        const key = `${protocol}/${hostIP}/${hostPort}`
        if (seen.has(key)) yield duplicate(`${field}[${i}].ports[${j}].hostPort`, hostPort)
        seen.add(key)
      }
    }
  }
}
