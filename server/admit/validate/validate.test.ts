import { describe, expect, test } from 'vitest'
import { faultsOf as faults, faultTable as table } from '../../../test/kit/faults.ts'
import * as kit from '../../../test/kit/objects.ts'

describe('metadata', () => {
  table('configmaps', kit.configMap, [
    ['plain', {}],
    ['a subdomain', { metadata: { name: 'a.b-c.1' } }],
    [
      'upper case',
      { metadata: { name: 'A' } },
      'metadata.name: Invalid value: "A": must be a DNS subdomain: up to 253 lower case letters',
    ],
    ['too long', { metadata: { name: 'a'.repeat(254) } }, 'metadata.name: Invalid value: '],
    ['a dash at the end', { metadata: { name: 'a-' } }, 'metadata.name: Invalid value: "a-"'],
    ['a prefix with a dash at the end', { metadata: { generateName: 'a-' } }],
    ['a bad prefix', { metadata: { generateName: 'A-' } }, 'metadata.generateName: Invalid value: "A-"'],
    ['good labels', { metadata: { labels: { 'a.b/c': '', d_e: 'F.g' } } }],
    [
      'a bad label key',
      { metadata: { labels: { 'a b': 'c' } } },
      "metadata.labels: Invalid value: \"a b\": name part must be 1 to 63 letters, digits, '-', '_' or '.'",
    ],
    [
      'a bad label prefix',
      { metadata: { labels: { 'A/b': 'c' } } },
      'metadata.labels: Invalid value: "A/b": prefix part must be a DNS subdomain',
    ],
    ['a bad label value', { metadata: { labels: { a: 'b c' } } }, 'metadata.labels: Invalid value: "b c": must be 1 to 63'],
    ['a label of another type', { metadata: { labels: { a: 1 } } }, 'metadata.labels[a]: Invalid value: 1: must be a string'],
    ['any text in an annotation', { metadata: { annotations: { 'x.example/A': 'any text\n' } } }],
    [
      'large annotations',
      { metadata: { annotations: { a: 'x'.repeat(262144) } } },
      'metadata.annotations: Too long: may not be more than 262144 bytes',
    ],
    ['a bad finalizer', { metadata: { finalizers: ['a b'] } }, 'metadata.finalizers[0]: Invalid value: "a b"'],
    [
      'an owner without a name',
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: '', uid: 'u' }] } },
      'metadata.ownerReferences[0].name: Required value: must name the owner',
    ],
    [
      'an owner without a uid',
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'a' }] } },
      'metadata.ownerReferences[0].uid: Required value',
    ],
    [
      'two controllers',
      {
        metadata: {
          ownerReferences: ['a', 'b'].map((name) => ({ apiVersion: 'v1', kind: 'Pod', name, uid: name, controller: true })),
        },
      },
      'metadata.ownerReferences[1].controller: Invalid value: true: only one owner can be the controller, and Pod/a is',
    ],
    ['no object at all', { metadata: { labels: 'x' } }, 'metadata.labels: Invalid value: "x": must be an object'],
  ])
  table('namespaces', kit.namespace, [
    ['a dot in a namespace', { metadata: { name: 'a.b' } }, 'metadata.name: Invalid value: "a.b": must be a DNS label'],
  ])
  table('services', kit.service, [
    ['a digit first in a service', { metadata: { name: '1a' } }, 'metadata.name: Invalid value: "1a": must be a DNS label'],
  ])
})

describe('a pod', () => {
  const spec = (part: object) => kit.pod({ spec: part as never })
  const tolerations = (toleration: object) => spec({ tolerations: [toleration] })
  table('pods', spec, [
    ['no containers', { containers: [] }, 'spec.containers: Required value: a pod has at least one container'],
    ['no list of containers', { containers: undefined }, 'spec.containers: Required value'],
    [
      'a name twice',
      { containers: [1, 2].map(() => ({ name: 'a', image: 'b' })) },
      'spec.containers[1].name: Duplicate value: "a"',
    ],
    [
      'a name twice, once to begin with',
      { containers: [{ name: 'a', image: 'b' }], initContainers: [{ name: 'a', image: 'b' }] },
      'spec.containers[0].name: Duplicate value: "a"',
    ],
    [
      'a restart policy',
      { restartPolicy: 'Maybe' },
      'spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "Never", "OnFailure"',
    ],
    ['a dns policy', { dnsPolicy: 'x' }, 'spec.dnsPolicy: Unsupported value: "x"'],
    ['own dns without servers', { dnsPolicy: 'None' }, 'spec.dnsConfig.nameservers: Required value'],
    [
      'a bad server',
      { dnsConfig: { nameservers: ['x'] } },
      'spec.dnsConfig.nameservers[0]: Invalid value: "x": must be an IP address',
    ],
    [
      'grace below zero',
      { terminationGracePeriodSeconds: -1 },
      'spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0',
    ],
    ['no time at all', { activeDeadlineSeconds: 0 }, 'spec.activeDeadlineSeconds: Invalid value: 0: must be greater than 0'],
    ['a bad node', { nodeName: 'A b' }, 'spec.nodeName: Invalid value: "A b": must be a DNS subdomain'],
    ['a bad node selector', { nodeSelector: { 'a b': 'c' } }, 'spec.nodeSelector: Invalid value: "a b"'],
    ['a bad host name', { hostname: 'a.b' }, 'spec.hostname: Invalid value: "a.b": must be a DNS label'],
    ['a bad alias', { hostAliases: [{ ip: '1.2.3' }] }, 'spec.hostAliases[0].ip: Invalid value: "1.2.3": must be an IP address'],
    ['ephemeral containers', { ephemeralContainers: [{ name: 'e' }] }, 'spec.ephemeralContainers: Forbidden: '],
    [
      'two sources of a volume',
      { volumes: [{ name: 'a', emptyDir: {}, hostPath: { path: '/' } }] },
      'spec.volumes[0].hostPath: Forbidden: may not have more than one source',
    ],
    ['a volume twice', { volumes: [{ name: 'a' }, { name: 'a' }] }, 'spec.volumes[1].name: Duplicate value: "a"'],
    ['a secret without a name', { volumes: [{ name: 'a', secret: {} }] }, 'spec.volumes[0].secret.secretName: Required value'],
    [
      'no terms of affinity',
      { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } } },
      'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value',
    ],
    [
      'affinity to nothing',
      {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }],
            },
          },
        },
      },
      "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be given where `operator` is 'In'",
    ],
  ])
  table('pods', () => ({ ...kit.pod(), spec: undefined }), [['without a spec', {}, 'spec: Required value']])
  describe('tolerates', () => {
    table('pods', tolerations, [
      ['everything', { operator: 'Exists' }],
      ['a value', { key: 'a', value: 'b', effect: 'NoSchedule' }],
      ['for a time', { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }],
      ['nothing', {}, 'spec.tolerations[0].operator: Invalid value: "Equal": must be \'Exists\' where `key` is empty'],
      [
        'in another way',
        { key: 'a', operator: 'Near' },
        'spec.tolerations[0].operator: Unsupported value: "Near": supported values: "Equal", "Exists"',
      ],
      [
        'a value that only exists',
        { key: 'a', operator: 'Exists', value: 'b' },
        'spec.tolerations[0].value: Invalid value: "b": must be empty where `operator` is \'Exists\'',
      ],
      [
        'an unknown effect',
        { key: 'a', effect: 'Maybe' },
        'spec.tolerations[0].effect: Unsupported value: "Maybe": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"',
      ],
      [
        'what does not end for a time',
        { key: 'a', effect: 'NoSchedule', tolerationSeconds: 5 },
        'spec.tolerations[0].effect: Invalid value: "NoSchedule": must be \'NoExecute\'',
      ],
    ])
  })
})

describe('a container', () => {
  const build = (part: object) =>
    kit.pod({ spec: { containers: [{ name: 'c', image: 'x', ...part }], volumes: [{ name: 'v' }] } })
  const at = 'spec.containers[0]'
  table('pods', build, [
    ['without a name', { name: undefined }, `${at}.name: Required value`],
    ['with a bad name', { name: 'A' }, `${at}.name: Invalid value: "A": must be a DNS label`],
    ['without an image', { image: undefined }, `${at}.image: Required value: must name an image`],
    ['with a blank image', { image: ' ' }, `${at}.image: Required value`],
    [
      'with space around its image',
      { image: ' x' },
      `${at}.image: Invalid value: " x": must not have leading or trailing whitespace`,
    ],
    ['with a pull policy', { imagePullPolicy: 'Once' }, `${at}.imagePullPolicy: Unsupported value: "Once"`],
    [
      'with a port of zero',
      { ports: [{ containerPort: 0 }] },
      `${at}.ports[0].containerPort: Invalid value: 0: must be between 1 and 65535`,
    ],
    ['with a large port', { ports: [{ containerPort: 65536 }] }, `${at}.ports[0].containerPort: Invalid value: 65536`],
    [
      'with a port as text',
      { ports: [{ containerPort: '80' }] },
      `${at}.ports[0].containerPort: Invalid value: "80": must be a whole number`,
    ],
    [
      'with a strange protocol',
      { ports: [{ containerPort: 80, protocol: 'ICMP' }] },
      `${at}.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"`,
    ],
    [
      'with a port name without letters',
      { ports: [{ containerPort: 80, name: '80' }] },
      `${at}.ports[0].name: Invalid value: "80": must be a port name`,
    ],
    ['with a long port name', { ports: [{ containerPort: 80, name: 'a'.repeat(16) }] }, `${at}.ports[0].name: Invalid value`],
    [
      'with a port name twice',
      { ports: [80, 81].map((containerPort) => ({ containerPort, name: 'a' })) },
      `${at}.ports[1].name: Duplicate value: "a"`,
    ],
    [
      'with a host port twice',
      { ports: [80, 81].map((containerPort) => ({ containerPort, hostPort: 9 })) },
      `${at}.ports[1].hostPort: Duplicate value: 9`,
    ],
    [
      'with a host port for each protocol',
      { ports: ['TCP', 'UDP'].map((protocol) => ({ containerPort: 80, hostPort: 9, protocol })) },
    ],
    ['with a bad name in its environment', { env: [{ name: 'A=B' }] }, `${at}.env[0].name: Invalid value: "A=B"`],
    ['with no name in its environment', { env: [{ name: '' }] }, `${at}.env[0].name: Required value`],
    [
      'with value and source',
      { env: [{ name: 'A', value: 'x', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] },
      `${at}.env[0].valueFrom: Invalid value: "": may not be given where \`value\` is`,
    ],
    [
      'with no source',
      { env: [{ name: 'A', valueFrom: {} }] },
      `${at}.env[0].valueFrom: Invalid value: []: must have exactly one of`,
    ],
    [
      'with two sources',
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' }, configMapKeyRef: { name: 's', key: 'k' } } }] },
      `${at}.env[0].valueFrom: Invalid value: ["secretKeyRef","configMapKeyRef"]: must have exactly one of`,
    ],
    [
      'with a source without a name',
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { key: 'k' } } }] },
      `${at}.env[0].valueFrom.secretKeyRef.name: Required value`,
    ],
    [
      'with everything from nowhere',
      { envFrom: [{}] },
      `${at}.envFrom[0]: Invalid value: {}: must have exactly one of \`configMapRef\`, \`secretRef\``,
    ],
    ['with a mount', { volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
    ['with a mount of nothing', { volumeMounts: [{ name: 'w', mountPath: '/v' }] }, `${at}.volumeMounts[0].name: Not found: "w"`],
    [
      'with two mounts at one path',
      { volumeMounts: [1, 2].map(() => ({ name: 'v', mountPath: '/v' })) },
      `${at}.volumeMounts[1].mountPath: Invalid value: "/v": must be unique`,
    ],
    [
      'with a way out of its volume',
      { volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'a/../..' }] },
      `${at}.volumeMounts[0].subPath: Invalid value`,
    ],
    [
      'with a malformed quantity',
      { resources: { limits: { cpu: '1x' } } },
      `${at}.resources.limits[cpu]: Invalid value: "1x": must be a number with at most one suffix`,
    ],
    [
      'with another malformed quantity',
      { resources: { requests: { cpu: '1h' } } },
      `${at}.resources.requests[cpu]: Invalid value: "1h": quantity "1h" must be a number with at most one suffix`,
    ],
    [
      'with a huge quantity',
      { resources: { requests: { memory: '1e40' } } },
      `${at}.resources.requests[memory]: Invalid value: "1e40": quantity "1e40" is too large`,
    ],
    [
      'with a negative quantity',
      { resources: { requests: { memory: '-1' } } },
      `${at}.resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0`,
    ],
    [
      'that requests more than its limit',
      { resources: { limits: { cpu: '1' }, requests: { cpu: '1001m' } } },
      `${at}.resources.requests: Invalid value: "1001m": must be less than or equal to cpu limit of 1`,
    ],
    ['that requests its limit', { resources: { limits: { cpu: '1' }, requests: { cpu: '1000m' } } }],
    ['with a probe of nothing', { livenessProbe: {} }, `${at}.livenessProbe: Required value: must have one of`],
    [
      'with a probe of two',
      { livenessProbe: { exec: { command: ['x'] }, tcpSocket: { port: 1 } } },
      `${at}.livenessProbe.tcpSocket: Forbidden: may have only one of`,
    ],
    [
      'with a probe at no port',
      { readinessProbe: { httpGet: { port: 0 } } },
      `${at}.readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535`,
    ],
    ['with a probe at a named port', { readinessProbe: { httpGet: { port: 'http' } } }],
    [
      'with a probe below zero',
      { readinessProbe: { tcpSocket: { port: 1 }, periodSeconds: -1 } },
      `${at}.readinessProbe.periodSeconds: Invalid value: -1`,
    ],
    [
      'with a liveness that succeeds late',
      { livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } },
      `${at}.livenessProbe.successThreshold: Invalid value: 2: must be 1`,
    ],
    ['with a hook that sleeps', { lifecycle: { preStop: { sleep: { seconds: 1 } } } }],
    ['with a hook of nothing', { lifecycle: { postStart: {} } }, `${at}.lifecycle.postStart: Required value`],
  ])
})

describe('a service', () => {
  const port = (part: object) => ({ ports: [{ port: 80, ...part }] })
  const ports = (...list: object[]) => ({ ports: list.map((p) => ({ port: 80, ...p })) })
  table('services', (spec) => kit.service({ spec }), [
    ['without ports', { ports: [] }, 'spec.ports: Required value: a service has at least one port'],
    ['headless without ports', { ports: [], clusterIP: 'None' }],
    ['elsewhere without ports', { ports: undefined, type: 'ExternalName', externalName: 'Db.Example.com.' }],
    ['elsewhere without a name', { ports: undefined, type: 'ExternalName' }, 'spec.externalName: Required value'],
    ['elsewhere with a bad name', { type: 'ExternalName', externalName: 'a b' }, 'spec.externalName: Invalid value: "a b"'],
    ['elsewhere with an address', { type: 'ExternalName', externalName: 'a', clusterIP: 'None' }, 'spec.clusterIP: Forbidden: '],
    [
      'port zero',
      port({ port: 0 }),
      'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535',
      'spec.ports[0].targetPort: Invalid value: 0',
    ],
    ['port without a number', { ports: [{ name: 'a' }] }, 'spec.ports[0].port: Required value'],
    ['target port by name', port({ targetPort: 'http' })],
    [
      'target port by a bad name',
      port({ targetPort: 'a_b' }),
      'spec.ports[0].targetPort: Invalid value: "a_b": must be a port name',
    ],
    ['target port zero', port({ targetPort: 0 }), 'spec.ports[0].targetPort: Invalid value: 0'],
    [
      'target port true',
      port({ targetPort: true }),
      'spec.ports[0].targetPort: Invalid value: true: must be a string or a number',
    ],
    [
      'two without names',
      ports({}, { port: 81 }),
      'spec.ports[0].name: Required value: ports have names where there is more than one',
      'spec.ports[1].name: Required value',
    ],
    ['two of a name', ports({ name: 'a' }, { name: 'a', port: 81 }), 'spec.ports[1].name: Duplicate value: "a"'],
    ['two of a number', ports({ name: 'a' }, { name: 'b' }), 'spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}'],
    ['two of a number by two protocols', ports({ name: 'a' }, { name: 'b', protocol: 'UDP' })],
    [
      'an unknown protocol',
      port({ protocol: 'tcp' }),
      'spec.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"',
    ],
    ['a node port', { type: 'NodePort', ...port({ nodePort: 30001 }) }],
    [
      'a node port of the wrong type',
      port({ nodePort: 30001 }),
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP' or 'ExternalName'",
    ],
    [
      'a node port twice',
      { type: 'NodePort', ...ports({ name: 'a', nodePort: 30001 }, { name: 'b', port: 81, nodePort: 30001 }) },
      'spec.ports[1].nodePort: Duplicate value: 30001',
    ],
    [
      'a bad address',
      { clusterIP: '10.96.0.300' },
      'spec.clusterIP: Invalid value: "10.96.0.300": must be empty, \'None\', or an IP address',
    ],
    ['two addresses', { clusterIPs: ['10.96.0.3', 'fd00::1'] }],
    [
      'two addresses of a family',
      { clusterIPs: ['10.96.0.3', '10.96.0.4'] },
      'spec.clusterIPs: Invalid value: ["10.96.0.3","10.96.0.4"]: two values must be one of each address family',
    ],
    [
      'three addresses',
      { clusterIPs: ['10.96.0.3', 'fd00::1', 'fd00::2'] },
      'spec.clusterIPs: Invalid value: ["10.96.0.3","fd00::1","fd00::2"]: may hold two values',
    ],
    ['a bad second address', { clusterIPs: ['10.96.0.3', 'x'] }, 'spec.clusterIPs[1]: Invalid value: "x": must be an IP address'],
    ['no address and one', { clusterIPs: ['None', 'fd00::1'] }, 'spec.clusterIPs[0]: Invalid value: "None": \'None\' stands alone'],
    [
      'an address of the other family',
      { clusterIPs: ['10.96.0.3'], ipFamilies: ['IPv6'] },
      'spec.clusterIPs[0]: Invalid value: "10.96.0.3": expected an IPv6 value, as `ipFamilies[0]` says',
    ],
    [
      'addresses that disagree',
      { clusterIP: '10.96.0.3', clusterIPs: ['10.96.0.4'] },
      'spec.clusterIPs: Invalid value: ["10.96.0.4"]: first value must match `clusterIP`',
    ],
    [
      'no address for node ports',
      { type: 'NodePort', clusterIP: 'None' },
      'spec.clusterIP: Invalid value: "None": may not be set to \'None\' for NodePort services',
    ],
    ['the other family', { ipFamilies: ['IPv6'] }],
    ['a third family', { ipFamilies: ['IPv5'] }, 'spec.ipFamilies[0]: Unsupported value: "IPv5"'],
    ['no family', { ipFamilies: [''] }, 'spec.ipFamilies[0]: Unsupported value: "": supported values: "IPv4", "IPv6"'],
    ['a family twice', { ipFamilies: ['IPv6', 'IPv6'] }, 'spec.ipFamilies[1]: Duplicate value: "IPv6"'],
    ['both families', { ipFamilyPolicy: 'RequireDualStack' }],
    ['families by whim', { ipFamilyPolicy: 'Both' }, 'spec.ipFamilyPolicy: Unsupported value: "Both"'],
    [
      'elsewhere with families',
      { type: 'ExternalName', externalName: 'a', ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
      'spec.ipFamilies: Forbidden: ',
      'spec.ipFamilyPolicy: Forbidden: ',
    ],
    ['both families if possible', { ipFamilyPolicy: 'PreferDualStack' }],
    ['affinity', { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86400 } } }],
    [
      'affinity for ever',
      { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } } },
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and at most 86400',
    ],
    ['a timeout without affinity, which is forgotten', { sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 } } }],
    [
      'affinity for no time',
      { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } },
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0',
    ],
    ['affinity with half a timeout', { sessionAffinity: 'ClientIP', sessionAffinityConfig: {} }],
    [
      'affinity by cookie',
      { sessionAffinity: 'Cookie' },
      'spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"',
    ],
    ['external addresses', { externalIPs: ['192.0.2.1', '2001:db8::1'] }],
    [
      'an external loopback',
      { externalIPs: ['127.0.0.1'] },
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range',
    ],
    [
      'a policy for nobody',
      { externalTrafficPolicy: 'Local' },
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ],
    [
      'an unknown policy',
      { internalTrafficPolicy: 'Near' },
      'spec.internalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local"',
    ],
    ['source ranges', { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8 '] }],
    [
      'source ranges of the wrong type',
      { loadBalancerSourceRanges: ['10.0.0.0/8'] },
      "spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      'a bad source range',
      { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0'] },
      'spec.loadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a range of addresses',
    ],
    [
      'a health port of the wrong type',
      { healthCheckNodePort: 30001 },
      'spec.healthCheckNodePort: Invalid value: 30001: may only be set when',
    ],
    [
      'a class of the wrong type',
      { loadBalancerClass: 'x' },
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    ['a bad class', { type: 'LoadBalancer', loadBalancerClass: 'a b' }, 'spec.loadBalancerClass: Invalid value: "a b": name part'],
    [
      'a health port that is a node port as well',
      { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30001, ...port({ nodePort: 30001 }) },
      'spec.healthCheckNodePort: Duplicate value: 30001',
    ],
    [
      'a health port beside the same one by UDP',
      { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30001, ...port({ nodePort: 30001, protocol: 'UDP' }) },
    ],
    ['a distribution by node', { trafficDistribution: 'PreferSameNode' }],
    [
      'a distribution',
      { trafficDistribution: 'PreferFar' },
      'spec.trafficDistribution: Unsupported value: "PreferFar": supported values: "PreferClose", "PreferSameZone", "PreferSameNode"',
    ],
    ['a bad selector', { selector: { app: 'a b' } }, 'spec.selector: Invalid value: "a b"'],
    ['an unknown type', { type: 'Magic' }, 'spec.type: Unsupported value: "Magic"'],
  ])
})

describe('the status of a service', () => {
  const ingress = (...list: object[]) => ({ type: 'LoadBalancer', list })
  const build = ({ type, list }: { type: string; list: object[] }) =>
    kit.service({ spec: { type } as never, status: { loadBalancer: { ingress: list } } as never })
  table('services', build, [
    ['with an address', ingress({ ip: '203.0.113.1' }, { ip: '2001:db8::1', ipMode: 'Proxy' })],
    ['with a name', ingress({ hostname: 'lb.example.com' })],
    ['with a bad address', ingress({ ip: 'x' }), 'status.loadBalancer.ingress[0].ip: Invalid value: "x": must be an IP address'],
    ['with an address for a name', ingress({ hostname: '203.0.113.1' }), 'status.loadBalancer.ingress[0].hostname: Invalid value: "203.0.113.1": must be a DNS name'],
    ['with a bad name', ingress({ hostname: 'a_b' }), 'status.loadBalancer.ingress[0].hostname: Invalid value: "a_b": must be a DNS'],
    [
      'with an unknown mode',
      ingress({ ip: '203.0.113.1', ipMode: 'Both' }),
      'status.loadBalancer.ingress[0].ipMode: Unsupported value: "Both": supported values: "VIP", "Proxy"',
    ],
    ['with a mode of nothing', ingress({ hostname: 'a.b', ipMode: 'VIP' }), 'status.loadBalancer.ingress[0].ipMode: Forbidden: may not be used'],
    ['with a bad port', ingress({ ip: '203.0.113.1', ports: [{ port: 0, protocol: 'TCP' }] }), 'status.loadBalancer.ingress[0].ports[0].port: Invalid value: 0'],
    ['without a balancer', { type: 'NodePort', list: [{ ip: '203.0.113.1' }] }, 'status.loadBalancer.ingress: Forbidden: may only be used when'],
  ])
})

describe('endpoints', () => {
  const slice = (part: object) => kit.endpointSlice(part as never)
  const to = (addressType: string, ...addresses: string[]) => slice({ addressType, endpoints: [{ addresses }] })
  table('endpointslices.discovery.k8s.io', slice, [
    ['a slice without type', { addressType: undefined }, 'addressType: Required value'],
    [
      'without addresses',
      { endpoints: [{ addresses: [] }] },
      'endpoints[0].addresses: Required value: must contain at least one address',
    ],
    ['with many endpoints', { endpoints: Array.from({ length: 1000 }, () => ({ addresses: ['10.0.0.1'] })) }],
    [
      'with too many endpoints',
      { endpoints: Array.from({ length: 1001 }, () => ({ addresses: ['10.0.0.1'] })) },
      'endpoints: Too long: must have at most 1000 items',
    ],
    [
      'with too many addresses',
      { endpoints: [{ addresses: Array.from({ length: 101 }, () => '10.0.0.1') }] },
      'endpoints[0].addresses: Too long: must have at most 100 items',
    ],
    ['with a bad port', { ports: [{ port: 70000 }] }, 'ports[0].port: Invalid value: 70000: must be between 1 and 65535'],
    ['with a port twice', { ports: [{ port: 1 }, { port: 2 }] }, 'ports[1].name: Duplicate value: ""'],
    ['with ports that have neither name nor number', { ports: [{}] }],
    ['without ports', { ports: undefined }],
    ['of another type', { addressType: 'IPX' }, 'addressType: Unsupported value: "IPX"'],
    [
      'with hints',
      { endpoints: [{ addresses: ['10.0.0.1'], zone: 'a', hints: { forZones: [{ name: 'a' }, { name: 'b' }], forNodes: [{ name: 'n1' }] } }] },
    ],
    [
      'with bad hints',
      { endpoints: [{ addresses: ['10.0.0.1'], hints: { forZones: [{ name: 'a' }, { name: 'a' }, { name: '' }, { name: 'b c' }], forNodes: [{ name: 'N' }] } }] },
      'endpoints[0].hints.forZones[1].name: Duplicate value: "a"',
      'endpoints[0].hints.forZones[2].name: Required value',
      'endpoints[0].hints.forZones[3].name: Invalid value: "b c"',
      'endpoints[0].hints.forNodes[0].name: Invalid value: "N"',
    ],
    [
      'with too many hints',
      { endpoints: [{ addresses: ['10.0.0.1'], hints: { forZones: Array.from({ length: 9 }, (_, i) => ({ name: `z${i}` })) } }] },
      'endpoints[0].hints.forZones: Too long: must have at most 8 items',
    ],
    [
      'with a bad node',
      { endpoints: [{ addresses: ['10.0.0.1'], nodeName: 'a b' }] },
      'endpoints[0].nodeName: Invalid value: "a b"',
    ],
  ])
  describe('in a slice', () => {
    test.each([
      ['IPv4', '10.0.0.1', undefined],
      ['IPv4', '10.1', 'must be an IPv4 address'],
      ['IPv4', '010.0.0.1', 'must be an IPv4 address'],
      ['IPv4', '2001:db8::1', 'must be an IPv4 address'],
      ['IPv4', '127.0.0.1', 'may not be in the loopback range'],
      ['IPv4', '169.254.1.1', 'may not be in the link-local range'],
      ['IPv4', '0.0.0.0', 'may not be unspecified'],
      ['IPv4', '224.0.0.1', 'may not be in the multicast range'],
      ['IPv6', '2001:db8::1', undefined],
      ['IPv6', '10.0.0.1', 'must be an IPv6 address'],
      ['IPv6', '::1', 'may not be in the loopback range'],
      ['IPv6', '::', 'may not be unspecified'],
      ['IPv6', 'fe80::1', 'may not be in the link-local range'],
      ['IPv6', 'fe80::1%eth0', 'must be an IPv6 address'],
      ['IPv6', 'ff02::1', 'may not be in the multicast range'],
      ['FQDN', 'db.example.com', undefined],
      ['FQDN', 'db.example.com.', undefined],
      ['FQDN', 'db_', 'must be a DNS subdomain'],
      ['FQDN', 'db', 'must have at least two parts'],
    ])('%s %s', async (type, address, message) => {
      const found = await faults('endpointslices.discovery.k8s.io', to(type, address))
      expect(found).toHaveLength(message ? 1 : 0)
      if (message) expect(found[0]).toContain(`endpoints[0].addresses[0]: Invalid value: "${address}": ${message}`)
    })
  })
  table('endpoints', (subset) => kit.endpoints({ subsets: [subset] as never }), [
    ['of nothing', {}, 'subsets[0]: Required value'],
    ['at a bad address', { addresses: [{ ip: 'x' }] }, 'subsets[0].addresses[0].ip: Invalid value: "x": must be an IP address'],
    [
      'at loopback',
      { notReadyAddresses: [{ ip: '127.0.0.1' }] },
      'subsets[0].notReadyAddresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback',
    ],
    [
      'at ports without names',
      { addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 1 }, { port: 2 }] },
      'subsets[0].ports[0].name: Required value',
      'subsets[0].ports[1].name: Required value',
    ],
  ])
})

describe('a workload', () => {
  const labels = { app: 'web' }
  table('deployments.apps', (spec) => kit.deployment({ spec }), [
    ['negative', { replicas: -1 }, 'spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    ['in halves', { replicas: 0.5 }, 'spec.replicas: Invalid value: 0.5: must be a whole number'],
    ['without selector', { selector: undefined }, 'spec.selector: Required value'],
    ['with an empty selector', { selector: { matchLabels: undefined } }, 'spec.selector: Invalid value: {}: must not be empty'],
    [
      'that does not select its pods',
      { selector: { matchLabels: { app: 'db' } } },
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
    [
      'by an unknown operator',
      { selector: { matchExpressions: [{ key: 'app', operator: 'Near' }] } },
      'spec.selector.matchExpressions[0].operator: Unsupported value: "Near"',
      'spec.template.metadata.labels',
    ],
    [
      'in nothing',
      { selector: { matchExpressions: [{ key: 'app', operator: 'In', values: [] }] } },
      'spec.selector.matchExpressions[0].values: Required value',
      'spec.template.metadata.labels',
    ],
    [
      'that exists with a value',
      { selector: { matchExpressions: [{ key: 'app', operator: 'Exists', values: ['x'] }] } },
      'spec.selector.matchExpressions[0].values: Forbidden',
    ],
    ['without a pod', { template: { metadata: { labels }, spec: undefined } }, 'spec.template.spec: Required value'],
    [
      'with a bad pod',
      { template: { spec: { containers: [{ name: 'a' }] } } },
      'spec.template.spec.containers[0].image: Required value',
    ],
    [
      'whose pods end',
      { template: { spec: { restartPolicy: 'Never' } } },
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [
      'that recreates and rolls',
      { strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } },
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ],
    [
      'that cannot move',
      { strategy: { rollingUpdate: { maxSurge: '0%', maxUnavailable: 0 } } },
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
    ],
    [
      'that moves by words',
      { strategy: { rollingUpdate: { maxSurge: 'some' } } },
      'spec.strategy.rollingUpdate.maxSurge: Invalid value: "some": must be a whole number or a percentage (such as 1 or \'25%\')',
    ],
    [
      'that lacks more than all',
      { strategy: { rollingUpdate: { maxUnavailable: '101%' } } },
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
    ],
    [
      'that gives up before it can be ready',
      { minReadySeconds: 600 },
      'spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds',
    ],
  ])
  table('replicasets.apps', (spec) => kit.replicaSet({ spec }), [
    ['fine', {}],
    ['negative', { replicas: -1 }, 'spec.replicas: Invalid value: -1'],
    ['without template', { template: undefined }, 'spec.template: Required value'],
  ])
})

describe('the smaller kinds', () => {
  table('nodes', (part) => kit.node(part), [
    [
      'a taint',
      {
        spec: {
          taints: [
            { key: 'a', effect: 'NoSchedule' },
            { key: 'a', effect: 'NoExecute' },
          ],
        },
      },
    ],
    [
      'a taint twice',
      { spec: { taints: [1, 2].map(() => ({ key: 'a', effect: 'NoSchedule' })) } },
      'spec.taints[1]: Duplicate value: "a:NoSchedule"',
    ],
    ['a taint without effect', { spec: { taints: [{ key: 'a' }] } }, 'spec.taints[0].effect: Required value'],
    [
      'a taint of unknown effect',
      { spec: { taints: [{ key: 'a', effect: 'Maybe' }] } },
      'spec.taints[0].effect: Unsupported value: "Maybe"',
    ],
    ['a range', { spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.0.0/24'] } }],
    [
      'a bad range',
      { spec: { podCIDR: '10.0.0.0' } },
      'spec.podCIDRs[0]: Invalid value: "10.0.0.0": must be a range of addresses',
    ],
    [
      'ranges that disagree',
      { spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.1.0/24'] } },
      'spec.podCIDRs: Invalid value: ["10.0.1.0/24"]: first value must match',
    ],
    [
      'a malformed capacity',
      { status: { capacity: { memory: 'much' }, allocatable: {} } },
      'status.capacity[memory]: Invalid value: "much"',
    ],
  ])
  table('configmaps', (part) => kit.configMap(part), [
    ['keys', { data: { 'a.b_c-D': 'x' }, binaryData: { b: 'eA==' } }],
    ['a bad key', { data: { 'a/b': 'x' } }, 'data[a/b]: Invalid value: "a/b": must be up to 253 letters'],
    ['a key of dots', { data: { '..a': 'x' } }, 'data[..a]: Invalid value'],
    ['a key in both', { data: { a: 'x' }, binaryData: { a: 'eA==' } }, 'binaryData[a]: Duplicate value: "a"'],
    ['a number', { data: { a: 1 } }, 'data[a]: Invalid value: "...": must be a string'],
    ['no base64', { binaryData: { a: 'x' } }, 'binaryData[a]: Invalid value: '],
    ['too much', { data: { a: 'x'.repeat(1024 * 1024 + 1) } }, 'data: Too long: may not be more than 1048576 bytes'],
  ])
  table('secrets', (part) => kit.secret(part), [
    ['plain text', { data: { a: 'secret' } }, 'data[a]: Invalid value: '],
    ['plain text where it belongs', { stringData: { a: 'secret' } }],
    ['tls without its key', { type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'x' } }, 'data[tls.key]: Required value'],
  ])
  test('a secret is not quoted in what is said of it', async () => {
    expect((await faults('secrets', kit.secret({ data: { a: 'hush' + '!' } }))).join()).not.toContain('hush')
  })
  table('events', (part) => kit.event(part), [
    ['fine', {}],
    [
      'of another namespace',
      { involvedObject: { namespace: 'other' } },
      'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ],
    ['of nothing', { involvedObject: undefined }, 'involvedObject: Required value'],
  ])
  table('leases.coordination.k8s.io', (spec) => kit.lease({ spec }), [
    ['fine', {}],
    ['of no time', { leaseDurationSeconds: 0 }, 'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
    ['renewed at no time', { renewTime: 'now' }, 'spec.renewTime: Invalid value: "now": must be a time as in RFC 3339'],
  ])
})

test('no more than a hundred causes are told of', async () => {
  const ports = Array.from({ length: 500 }, () => ({ containerPort: 0 }))
  const draft = kit.pod({ spec: { containers: [{ name: 'a', image: 'b', ports }] } })
  expect(await faults('pods', draft)).toHaveLength(100)
})
