/** What the runner does before and after the files of its project `etcd`: a real etcd for each of its workers. */
import type { TestProject } from 'vitest/node'
import { startEtcd } from './etcd.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = await Promise.all(Array.from({ length: project.config.maxWorkers }, startEtcd))
  project.provide('etcds', servers.map(({ url, tls }) => ({ url, tls })))
  return async () => void (await Promise.all(servers.map((server) => server.end())))
}
