/** The columns of CertificateSigningRequests. */
import type { CertificateSigningRequest } from '../../../api/objects.ts'
import { ageText } from './age.ts'
import { ageColumn, joined, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'

export const certificateColumns: readonly Column<CertificateSigningRequest>[] = [
  nameColumn,
  ageColumn,
  { name: 'SignerName', description: 'Who is to sign.', cell: (c) => c.spec.signerName },
  { name: 'Requestor', description: 'Who asks.', cell: (c) => c.spec.username ?? '' },
  {
    name: 'RequestedDuration',
    description: 'How long the certificate is to count.',
    cell: ({ spec: { expirationSeconds: s } }) => (s === undefined ? '<none>' : ageText(new Date(0).toISOString(), s * 1000)),
  },
  {
    name: 'Condition',
    description: 'What was decided, and whether it was signed.',
    cell: ({ status }) => {
      const types = (status?.conditions ?? []).map((c) => c.type)
      return types.length === 0 ? 'Pending' : joined([...types, ...(status?.certificate ? ['Issued'] : [])])
    },
  },
]
