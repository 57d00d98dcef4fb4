/** The words of `wherry proxy --help`. */
export const usage = `Usage: wherry proxy [--config FILE] [flags]

Serves the virtual IPs of Kubernetes Services on this node, in place of kube-proxy. Takes kube-proxy's configuration
(kubeproxy.config.k8s.io/v1alpha1, YAML or JSON) and its flags. Rules stay in the kernel when it stops.

  --config FILE                     the configuration; the flags below are ignored beside it, but for those marked *
  --kubeconfig FILE                 how to reach the API server (default: the pod's service account)
* --master URL                      the API server, instead of the one in the kubeconfig
* --hostname-override NAME          the name of this node's Node object (default: the host name, in lower case)
  --proxy-mode MODE                 nftables (default), iptables or ipvs
  --cluster-cidr CIDR[,CIDR]        addresses of pods: what comes from elsewhere to a cluster IP is masqueraded
  --detect-local-mode MODE          ClusterCIDR (default), NodeCIDR, BridgeInterface or InterfaceNamePrefix
  --pod-bridge-interface NAME       for BridgeInterface
  --pod-interface-name-prefix TEXT  for InterfaceNamePrefix
  --nodeport-addresses LIST         where node ports answer: CIDRs, primary, localhost, all
                                    (default: primary in nftables mode, else all)
  --masquerade-all                  masquerade everything that is sent to cluster IPs
  --iptables-masquerade-bit N       the bit of the packet mark that asks for it, in iptables and ipvs mode (default 14)
  --iptables-localhost-nodeports    node ports on 127.0.0.1, in iptables mode (default true)
  --bind-address IP                 this node's address where its Node object has none
  --healthz-bind-address IP:PORT    /healthz and /livez (default 0.0.0.0:10256; empty: none)
  --metrics-bind-address IP:PORT    /metrics, /proxyMode, /configz (default 127.0.0.1:10249; empty: none)
  --bind-address-hard-fail          end when one of them cannot be listened on, instead of trying again
  --conntrack-max-per-core N, --conntrack-min N, --conntrack-tcp-timeout-established T,
  --conntrack-tcp-timeout-close-wait T, --conntrack-tcp-be-liberal, --conntrack-udp-timeout T,
  --conntrack-udp-timeout-stream T  connection tracking, set at start (0 leaves as is)
  --iptables-sync-period T, --ipvs-sync-period T  a change that waits for twice as long makes /healthz fail (default 30s)
  --ipvs-scheduler NAME, --ipvs-exclude-cidrs LIST, --ipvs-strict-arp, --ipvs-tcp-timeout T,
  --ipvs-tcpfin-timeout T, --ipvs-udp-timeout T
  --oom-score-adj N                 (default -999)
* -v, --v N                         4 shows more, 6 everything
* --notes-dir DIR                   where it notes what nftables holds, so that the next start need not read that
                                    (default: nowhere; a folder in /run will do)
* --init-only                       make the kernel settings that need full root, then exit
* --cleanup                         take every rule of ours away, then exit
* --write-config-to FILE            write the configuration that the flags amount to, then exit
* --version, --help

kube-proxy's other flags are accepted; those that have no effect are named in the log.
Exit codes: 0 stopped or done, 1 failed or something changed that is read only at start, 2 wrong flags or configuration,
3 this machine lacks something.
`
