/** The commands of `wherry` and their help. What they do is in the files that they call. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { modeNames } from '../rules/mode.ts'
import type { ClusterWish, commands, ExplainWish, JoinWish, TokenWish } from './commands.ts'
import type { LabWish } from './lab/memory.ts'

/** What `main.ts` gives: everything that a command may touch. */
export type Actions = ReturnType<typeof commands>

const labHelp = `
A lab is a whole cluster on this one machine: a hub and some nodes, each in a network namespace of its own, each node with its
own containerd. Nothing of it is in the machine's own network but the API on 127.0.0.1.

Examples:
  wherry up                    build the lab, run the demo on it, and show that every virtual IP answers
  wherry up --proxy-mode iptables
                               the same by other rules; a lab that runs changes over
  wherry status                nodes, their measured load, services, and on how many kernels each one is live
  wherry explain web           who gets a service's connections, and the rules that decide it
  wherry rules node1           the nftables rules by which node1 routes services
  wherry rules node1 --service default/web
                               only what concerns one service
  wherry exec node2 -- ip -brief address
                               run a command in a node's network
  wherry down                  take everything away, and look whether something is left

With kubectl:
  export KUBECONFIG=/var/lib/wherry/lab/kubeconfig
  kubectl get nodes,pods,services -o wide

Files:
  /var/lib/wherry/lab/kubeconfig     the administrator's access to the API
  /var/lib/wherry/lab/logs/          one log for each process: hub, agents, containerds, supervisor
  /var/lib/wherry/lab/hub/           the hub's database, certificates and join token
  /var/lib/wherry/lab/nodeN/         a node's credentials, containers and containerd
  /run/wherry/lab/                   sockets, and who runs
  vagrant/demo/web.yaml              the demo's manifests

Exit codes: 0 done, 1 something failed, 2 the command was not used as it should be, 3 the machine lacks something.`

export function createProgram(actions: Actions, version: string): Command {
  const program = new Command('wherry')
    .description('Kubernetes services on Linux nodes, and the hub that feeds them.')
    .version(version)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(
          `wherry: ${text
            .replace(/^error: /, '')
            .trim()
            .replaceAll('\n', ' ')}\n`,
        ),
    })
    .showHelpAfterError('        `wherry --help` shows how it is used')
    .addHelpText('after', labHelp)
  addLabCommands(program, actions)
  addClusterCommands(program, actions)
  addSecurityCommands(program, actions)
  addProcessCommands(program, actions)
  return program
}

function addLabCommands(program: Command, actions: Actions): void {
  withLab(program.command('up'))
    .description('build the lab, or repair what is missing of it; run the demo and check every answer')
    .option('--nodes <count>', 'how many nodes (default: 3, or as many as there are)', wholeNumber)
    .option('--port <port>', "the API's port on 127.0.0.1 (default: 6443)", wholeNumber)
    .addOption(new Option('--proxy-mode <mode>', 'how nodes program their kernels (default: nftables, or as it was)').choices(modeNames))
    .addHelpText(
      'after',
      '\nPrints each step with its time, a table of who asked whom and which pod answered, and the rules that did it.\n' +
        'May be run again at any time. Exit code 0 only if every answer was right.',
    )
    .action((options: LabWish) => actions.up(options))
  withLab(program.command('down'))
    .description('take the lab away and check that nothing of it is left')
    .addHelpText(
      'after',
      '\nEnds processes and containers, removes mounts, namespaces, control groups and directories, logs too.\n' +
        'Exit code 1 with a list if something is left.',
    )
    .action((options: LabWish) => actions.down(options))
  withLab(program.command('exec'))
    .description("run a command in a node's network")
    .usage('<node> -- <command> [arguments...]')
    .argument('<node>', 'a node of the lab, e.g. node1')
    .argument('<command...>', 'the command and its arguments')
    .passThroughOptions()
    .addHelpText(
      'after',
      "\nOnly the network is the node's; files and processes are the machine's. The exit code is the command's.\n\n" +
        "Example:\n  wherry exec node1 -- nft list table ip wherry",
    )
    .action((node: string, command: string[], options: LabWish) => actions.exec(node, withoutDashes(command), options))
  const lab = program.command('lab', { hidden: true }).description('what a lab runs by itself')
  lab
    .command('supervise')
    .requiredOption('--run-dir <dir>')
    .action((options: { runDir: string }) => actions.supervise(options.runDir))
  lab
    .command('image')
    .description("write the demo's image, as `ctr images import` takes it")
    .argument('<file>')
    .action((file: string) => actions.image(file))
}

function addClusterCommands(program: Command, actions: Actions): void {
  withCluster(program.command('status'))
    .description('nodes, their measured load, services, and on how many kernels each one is live')
    .addHelpText(
      'after',
      "\nCPU is in cores, memory in MiB, both measured. RECEIVED and APPLIED are revisions of the hub's store:\n" +
        'what the node has heard, and what its kernel has accepted. RULES is live when the kernel has every service as it is now.',
    )
    .action((options: ClusterWish) => actions.status(options))
  withCluster(program.command('rules'))
    .description('the rules by which a node routes services, as its kernel holds them')
    .argument('[node]', 'the node; the first one if absent')
    .option('--service <namespace/name>', 'only what concerns one service')
    .action((node: string | undefined, options: ClusterWish & { service?: string }) => actions.rules(node, options))
  withCluster(program.command('explain'))
    .description('what becomes of packets to a service, as the kernel of a node has it')
    .argument('<target>', 'a service (web, default/web), an address (10.96.0.10, 10.96.0.10:80, [fd00::1]:80) or a node port (30080)')
    .option('--node <node>', 'whose kernel (default: the first node that is connected)')
    .addOption(new Option('-o, --output <format>', 'json: for programs').choices(['json']))
    .addHelpText(
      'after',
      "\nA new connection is followed through the rules, as the kernel holds them, from a pod, from the node and from outside. The API\n" +
        'gives the names; where it and the kernel disagree, that is the first line. Exit code 1 if no service has the address.\n\n' +
        'Examples:\n  wherry explain web\n  wherry explain 10.96.0.10:80 --node node2',
    )
    .action((target: string, options: ExplainWish) => actions.explain(target, options))
  withCluster(program.command('snapshot'))
    .description('copy everything that the hub stores into a file, while it serves')
    .argument('<file>', 'a file that is not there yet')
    .addHelpText(
      'after',
      "\nFor a hub with its own database; etcd has `etcdctl snapshot save`. Secrets are in it. The hub's certificates are not: keep\n" +
        'the folder pki/ of its data directory as well.',
    )
    .action((file: string, options: ClusterWish) => actions.snapshot(file, options))
  program
    .command('restore')
    .description('put a snapshot in the place of the database of a hub that is stopped')
    .argument('<file>', 'what `wherry snapshot` wrote; it stays as it is')
    .requiredOption('--data <dir>', "the hub's data directory")
    .addHelpText(
      'after',
      '\nThe database that was there stays beside it, as wherry.db.replaced. Agents and watching clients start anew: the restored\n' +
        'store has another history than the one that they followed.',
    )
    .action((file: string, options: { data: string }) => actions.restore(file, options))
}

function addSecurityCommands(program: Command, actions: Actions): void {
  const secrets = program.command('secrets').description('how secrets lie on the disk of the hub')
  withCluster(secrets.command('rotate'))
    .description('seal every secret with a new key')
    .addHelpText(
      'after',
      "\nThe new key is put before the others in encryption.yaml of the hub's data directory, and everything is written anew with it, the\n" +
        'history of changes as well. The old keys stay in the file for copies of the database; who has none may take them out.',
    )
    .action((options: ClusterWish) => actions.rotateSecrets(options))
  const token = program.command('token').description('tokens by which machines join')
  withCluster(token.command('create'))
    .description('make a token by which machines can join for a while')
    .option('--ttl <duration>', 'how long it is good: 24h, 90m, 30s; 0 for ever', duration, 24 * 3600)
    .option('--print-join-command', 'print the whole command for the machine that is to join')
    .addHelpText('after', '\nIt is kept as a Secret of kube-system, bootstrap-token-ID. To take it back, delete that:\n  kubectl -n kube-system delete secret bootstrap-token-ID')
    .action((options: TokenWish) => actions.createToken(options))
}

const secondsOf = { s: 1, m: 60, h: 3600 } as const

/** `24h`, `90m`, `30s` or `0`, in seconds. */
function duration(text: string): number {
  const [, amount, unit] = /^(\d{1,6})([smh])$/.exec(text) ?? []
  if (text === '0') return 0
  if (amount === undefined || Number(amount) === 0) throw new InvalidArgumentError('It is not a duration such as 24h, 90m or 30s; 0 is for ever.')
  return Number(amount) * secondsOf[unit as keyof typeof secondsOf]
}

function addProcessCommands(program: Command, actions: Actions): void {
  program
    .command('join')
    .description('make this machine a node of a hub: get a certificate for it')
    .argument('<url>', 'https://HOST:6443 of the hub')
    .requiredOption('--token <token>', 'from `wherry token create`, or the file join-token of the hub')
    .requiredOption('--ca-cert-hash <hash>', "sha256:…, the hash of the hub CA's public key")
    .option('--node <name>', "the node's name (default: this machine's host name)")
    .option('--credentials <dir>', 'where key and certificates go', '/var/lib/wherry/agent/credentials')
    .addHelpText(
      'after',
      "\nWrites node.key, node.crt, ca.crt and agent.json, for root's eyes only. Then start the agent: wherry agent\n\n" +
        'The hash of a CA:\n  openssl x509 -pubkey -noout -in pki/ca.crt | openssl pkey -pubin -outform der | sha256sum',
    )
    .action((url: string, options: JoinWish) => actions.join(url, options))
  for (const name of ['agent', 'hub'] as const) {
    program
      .command(name)
      .description(name === 'agent' ? "run a node's agent in the foreground (after: wherry join)" : 'run a hub in the foreground')
      .argument('[flags...]', `flags of the ${name}; see: wherry ${name} -- --help`)
      .passThroughOptions()
      .allowUnknownOption()
      .action((flags: string[]) => actions[name](withoutDashes(flags)))
  }
  program
    .command('proxy')
    .description('serve the services of any Kubernetes cluster on this node, in place of kube-proxy')
    .argument('[flags...]', "kube-proxy's flags; see: wherry proxy --help")
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .action((flags: string[]) => actions.proxy(flags))
}

/** A second lab beside the first: for tests, so it is not in the help. */
function withLab(command: Command): Command {
  const hidden = [
    command.createOption('--name <name>', 'prefix of all that the lab makes'),
    command.createOption('--state-dir <dir>', 'where its state is kept'),
    command.createOption('--run-dir <dir>', 'where its sockets are'),
  ]
  for (const option of hidden) command.addOption(option.hideHelp())
  return command
}

function withCluster(command: Command): Command {
  return withLab(command).option('--kubeconfig <file>', 'another cluster than the lab of this machine')
}

/** The `--` that ends our own options is not the other program's. */
function withoutDashes(words: readonly string[]): readonly string[] {
  return words[0] === '--' ? words.slice(1) : words
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It is not a whole number.')
  return Number(text)
}
