#!/bin/sh
# Makes this Debian or Ubuntu machine a hub, a node, or both. Run it as often as you like: what is there is left alone.
#
#   sudo sh install.sh --hub ADDRESS                      the hub, at this address of this machine, which becomes a node, too
#   sudo sh install.sh --join URL --token T --ca-cert-hash H        a node of the hub at https://ADDRESS:6443
#   sudo sh install.sh                                    packages and program only
#
#   --node NAME          the node's name (default: this machine's host name)
#   --proxy-mode MODE    nftables, iptables or ipvs (default: as before, or nftables)
#   --hub-only           with --hub: run no pods on this machine
#   --pki DIR            with --hub: a CA to begin with (ca.crt and ca.key); it is moved
#   --join-token T       with --hub: the token that nodes show; kept where the hub has one already
#   --tls-san NAMES      with --hub: further names and addresses of the API, with commas between them
#   --api-url URL        with --hub: the API's address in the administrator's kubeconfig (default https://ADDRESS:6443)
#   --root               prepare the root file system that this runs in, where nothing can be started
#
# It copies the checkout that it lies in to /opt/wherry. It does not touch swap, firewall or boot, and needs no reboot.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

here=$(cd "$(dirname "$0")" && pwd -P)
source=$(cd "$here/../.." && pwd -P)
# shellcheck source=vagrant/provision/steps.sh
. "$here/steps.sh"
# shellcheck source=vagrant/provision/roles.sh
. "$here/roles.sh"

target=/opt/wherry
etc=/etc/wherry
hub='' join='' token='' hash='' node=$(hostname | tr '[:upper:]' '[:lower:]' | cut -d. -f1) mode=''
hub_only=no pki='' join_token='' sans='' api='' live=yes

usage() {
  echo "wherry: $1" >&2
  echo "        sh install.sh --help shows how it is used" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,/^set -eu/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --hub-only) hub_only=yes; shift; continue ;;
    --root) live=no; shift; continue ;;
    --hub | --join | --token | --ca-cert-hash | --node | --proxy-mode | --pki | --join-token | --tls-san | --api-url)
      [ $# -ge 2 ] || usage "$1 needs a value" ;;
    *) usage "unknown option $1" ;;
  esac
  case $1 in
    --hub) hub=$2 ;;
    --join) join=$2 ;;
    --token) token=$2 ;;
    --ca-cert-hash) hash=$2 ;;
    --node) node=$2 ;;
    --proxy-mode) mode=$2 ;;
    --pki) pki=$2 ;;
    --join-token) join_token=$2 ;;
    --tls-san) sans=$2 ;;
    --api-url) api=$2 ;;
  esac
  shift 2
done
case $mode in '' | nftables | iptables | ipvs) ;; *) usage "--proxy-mode $mode: expected nftables, iptables or ipvs" ;; esac
[ -z "$hub" ] || [ -z "$join" ] || usage '--hub and --join exclude each other: the hub joins itself'
[ -z "$join" ] || { [ -n "$token" ] && [ -n "$hash" ]; } || usage '--join needs --token and --ca-cert-hash, as wherry token create --print-join-command prints them'
[ "$(uname -s)" = Linux ] || fail "this is $(uname -s), not Linux" 'use the virtual machines: cd vagrant && vagrant up'
[ "$(id -u)" -eq 0 ] || fail 'only root can install packages and services' 'run the same command with sudo'
[ -r /etc/debian_version ] || fail 'this is neither Debian nor Ubuntu' "see the names in $here/packages.txt, and the units beside it"

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'; }

# Only what is missing: a box that has everything needs no network.
packages() {
  missing=
  for name in $(grep -v '^#' "$here/packages.txt" | tr '\n' ' '); do installed "$name" || missing="$missing $name"; done
  # For people who look around on the machine; not every distribution has it.
  if ! command -v kubectl >/dev/null && [ -n "$missing" ]; then optional=kubernetes-client; else optional=; fi
  # Debian's npm fetches the pinned Node and the npm packages, unless they are there.
  modules_fit || command -v npm >/dev/null || missing="$missing npm"
  if [ -z "$missing" ]; then
    did='nothing to do'
    return
  fi
  apt update
  for name in $optional; do
    [ -n "$(apt-cache madison "$name" 2>/dev/null)" ] && missing="$missing $name"
  done
  # shellcheck disable=SC2086 # names of packages, split on purpose
  apt install -y --no-install-recommends $missing
  did=$(echo "$missing" | sed 's/^ //')
}

apt() {
  log=$(mktemp)
  # A machine that just booted may be updating itself.
  if ! DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "\`apt-get $*\` failed; its last lines are above" 'see that the packages can be reached from this machine, then run this again'
  fi
  rm -f "$log"
}

project() {
  mkdir -p "$target"
  if [ "$source" = "$target" ]; then
    did='is here'
    return
  fi
  rm -rf "$target.new"
  mkdir -p "$target.new"
  tar -C "$source" --exclude=./.git --exclude=./node_modules --exclude=.vagrant --exclude='*.log' -cf - . | tar -C "$target.new" --no-same-owner -xf -
  chmod -R u=rwX,go=rX "$target.new"
  [ ! -d "$target/node_modules" ] || mv "$target/node_modules" "$target.new/"
  rm -rf "$target.old"
  mv "$target" "$target.old"
  mv "$target.new" "$target"
  rm -rf "$target.old"
  did=$target
}

stamp=$target/node_modules/.wherry-lock
lock_sum() { sha256sum "$1/package-lock.json" | cut -d' ' -f1; }
# Times of files say nothing here: the lock may be older than an installation of another one.
modules_fit() {
  [ -x "$target/node_modules/node/bin/node" ] && [ -r "$stamp" ] && [ "$(cat "$stamp")" = "$(lock_sum "$source")" ]
}

modules() {
  if modules_fit; then
    did='nothing to do'
    return
  fi
  command -v npm >/dev/null || fail 'there is no npm to install the npm packages with' 'apt-get install npm; or build the offline box anew: its packages are of another lock file'
  log=$(mktemp)
  did='npm ci'
  # As bin/setup: a registry that lacks optional packages of other systems makes `npm ci` refuse the lock file.
  if ! (cd "$target" && npm ci --omit=dev --no-audit --no-fund --loglevel=error) >"$log" 2>&1; then
    did='npm install'
    if ! grep -q 'code EUSAGE' "$log" || ! (cd "$target" && npm install --omit=dev --no-save --no-audit --no-fund --loglevel=error) >"$log" 2>&1; then
      head -n 6 "$log" >&2
      fail "\`$did\` failed; its first lines are above" 'see that the npm registry can be reached, then run this again'
    fi
  fi
  rm -f "$log"
  [ -x "$target/node_modules/node/bin/node" ] || fail "npm did not install the pinned Node in $target/node_modules/node" 'npm must be allowed to run its install script'
  lock_sum "$target" >"$stamp"
}

services() {
  did='nothing to do'
  getent passwd wherry >/dev/null || useradd --system --user-group --home-dir /var/lib/wherry/hub --no-create-home --shell /usr/sbin/nologin wherry
  for unit in wherry-hub wherry-agent; do
    ! put "/etc/systemd/system/$unit.service" 644 <"$target/vagrant/provision/units/$unit.service" || did='units'
  done
  ln -sf "$target/bin/wherry" /usr/local/bin/wherry
  # The modules of the modes that are not loaded on demand.
  ! put /etc/modules-load.d/wherry.conf 644 <<'M' || did='units'
ip_vs
ip_vs_rr
nf_conntrack
overlay
M
  [ "$live" = no ] || { [ "$did" = 'nothing to do' ] || systemctl daemon-reload; }
}

image=/usr/local/share/wherry/echo-image.tar
image_name=wherry.local/echo:1
image_there() { ctr --namespace wherry images list --quiet 2>/dev/null | grep -qx "$image_name"; }
demo_image() {
  if [ "$live" = yes ] && image_there; then
    did='nothing to do'
    return
  fi
  mkdir -p "$(dirname "$image")"
  [ -s "$image" ] || "$target/bin/wherry" lab image "$image" >/dev/null
  did=$image
  [ "$live" = yes ] || return 0
  systemctl -q enable --now containerd
  wait_for containerd 900 'journalctl -u containerd' ctr version
  ctr --namespace wherry images import "$image" >/dev/null
  did=$image_name
}

step packages packages
step project project
step 'npm packages' modules
step services services
step 'demo image' demo_image
if [ "$live" = no ]; then exit 0; fi
[ -z "$hub" ] || step 'hub' hub_role
if [ -n "$hub" ] && [ "$hub_only" = no ]; then
  join=https://$hub:6443
  token=$(cat /var/lib/wherry/hub/join-token)
  hash=$(ca_hash /var/lib/wherry/hub/pki/ca.crt)
fi
if [ -n "$join" ]; then
  step 'joined' join_role
  step 'agent' agent_role
  step 'node ready' ready_role
fi
