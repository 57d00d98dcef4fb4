/** Checks of CertificateSigningRequest (certificates.k8s.io/v1). */
import type { CertificateSigningRequest } from '../../../api/objects.ts'
import { readRequest } from '../../auth/certificate-request.ts'
import { duplicate, required, unsupported, wrong, type Causes } from '../causes.ts'
import { dnsSubdomain } from './names.ts'

const usages: readonly string[] = [
  'signing,digital signature,content commitment,key encipherment,key agreement,data encipherment,cert sign,crl sign',
  'encipher only,decipher only,any,server auth,client auth,code signing,email protection,s/mime,ipsec end system',
  'ipsec tunnel,ipsec user,timestamping,ocsp signing,microsoft sgc,netscape sgc',
].flatMap((line) => line.split(','))
const leastSeconds = 600

export function* validateCertificateRequest({ spec, status }: CertificateSigningRequest): Causes {
  const request = readRequest(Buffer.from(spec.request, 'base64').toString('utf8'))
  // Of the request itself nothing is quoted: it is long, and means nothing to a reader.
  if (typeof request === 'string') yield wrong('spec.request', '...', `must be a certificate request (PKCS#10) in PEM, in base64: ${request}`)
  yield* validateSigner(spec.signerName)
  if ((spec.usages ?? []).length === 0) yield required('spec.usages')
  for (const [i, usage] of (spec.usages ?? []).entries()) {
    if (!usages.includes(usage)) yield unsupported(`spec.usages[${i}]`, usage, usages)
    if (spec.usages!.indexOf(usage) < i) yield duplicate(`spec.usages[${i}]`, usage)
  }
  if (spec.expirationSeconds !== undefined && spec.expirationSeconds < leastSeconds) yield wrong('spec.expirationSeconds', spec.expirationSeconds, 'may not specify a duration less than 600 seconds (10 minutes)')
  const types = (status?.conditions ?? []).map((c) => c.type)
  for (const [i, type] of types.entries()) if (types.indexOf(type) < i) yield duplicate(`status.conditions[${i}].type`, type)
  if (types.includes('Approved') && types.includes('Denied')) yield wrong('status.conditions', types, 'Approved and Denied conditions are mutually exclusive')
}

/** `domain/path`. */
function* validateSigner(name: string): Causes {
  const [domain = '', ...path] = name.split('/')
  const form = 'must be a domain, a slash and a path, such as kubernetes.io/kube-apiserver-client'
  if (name === '') yield required('spec.signerName')
  else if (name.length > 571 || path.length !== 1 || dnsSubdomain(domain) || !domain.includes('.') || dnsSubdomain(path[0]!)) yield wrong('spec.signerName', name, form)
}
