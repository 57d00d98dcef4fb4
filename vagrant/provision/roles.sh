# shellcheck shell=sh disable=SC2154,SC2034 # install.sh has the options, steps.sh reads $did
# What makes a machine a hub or a node: settings, credentials, services. Sourced by install.sh.

hub_data=/var/lib/wherry/hub
credentials=/var/lib/wherry/agent/credentials

# As `wherry join` wants it: sha256 of the public key.
ca_hash() { # certificate
  printf 'sha256:'
  openssl x509 -pubkey -noout -in "$1" | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1
}

hub_role() {
  did="https://$hub:6443"
  install -d -m 700 -o wherry -g wherry "$hub_data"
  if [ -n "$pki" ] && [ -r "$pki/ca.key" ]; then
    if [ ! -e "$hub_data/pki/ca.key" ]; then
      install -d -m 700 -o wherry -g wherry "$hub_data/pki"
      for file in ca.crt ca.key; do install -m 600 -o wherry -g wherry "$pki/$file" "$hub_data/pki/$file"; done
    fi
    rm -rf "$pki"
  fi
  if [ -n "$join_token" ] && [ ! -e "$hub_data/join-token" ]; then
    echo "$join_token" | install -m 600 -o wherry -g wherry /dev/stdin "$hub_data/join-token"
  fi
  flags="--listen $hub:6443 --kubeconfig-server ${api:-https://$hub:6443} --tls-san $hub,$node${sans:+,$sans}"
  changed=no
  ! put "$etc/hub.env" 644 <<E || changed=yes
# Flags of the hub: wherry hub -- --help
WHERRY_HUB_FLAGS="$flags"
E
  start wherry-hub "$changed"
  wait_for 'the hub to answer' 900 'journalctl -u wherry-hub' curl -fsS --cacert "$hub_data/pki/ca.crt" "https://$hub:6443/readyz"
  # For root on this machine, so that kubectl needs no flag. What somebody else put there stays.
  install -d -m 700 /root/.kube
  [ -e /root/.kube/config ] || ln -sf "$hub_data/admin.kubeconfig" /root/.kube/config
}

# With another program, or other flags, it starts anew.
start() { # unit, whether its flags changed
  systemctl -q enable "$1"
  running=$(cat "/run/$1.program" 2>/dev/null || true)
  program=$(program_sum)
  if [ "$2" = yes ] || [ "$running" != "$program" ] || ! systemctl -q is-active "$1"; then
    systemctl daemon-reload
    systemctl restart "$1"
  fi
  echo "$program" >"/run/$1.program"
}

# Of what a service is made.
program_sum() {
  {
    lock_sum "$target"
    find "$target/api" "$target/rules" "$target/server" "$target/agent" "$target/vagrant/provision/units" -type f -exec sha256sum {} + | sort
  } | sha256sum | cut -d' ' -f1
}

join_role() {
  did=$join
  if joined; then
    did="$join, before"
    return
  fi
  wait_for "the hub at $join" 900 'start the hub first; see that this machine reaches it' curl -fsSk "$join/readyz"
  "$target/bin/wherry" join "$join" --token "$token" --ca-cert-hash "$hash" --node "$node" --credentials "$credentials" >/dev/null
  rejoined=yes
}

rejoined=no
# Whether there are credentials of this node, from this hub, that are good for a week more.
joined() {
  [ -r "$credentials/agent.json" ] && grep -q "\"hub\": \"$join\"" "$credentials/agent.json" &&
    grep -q "\"node\": \"$node\"" "$credentials/agent.json" && [ "$(ca_hash "$credentials/ca.crt")" = "$hash" ] &&
    openssl x509 -noout -checkend 604800 -in "$credentials/node.crt" >/dev/null
}

agent_role() {
  [ -n "$mode" ] || mode=$(sed -n 's/.*--proxy-mode \([a-z]*\).*/\1/p' "$etc/agent.env" 2>/dev/null || true)
  mode=${mode:-nftables}
  did=$mode
  changed=$rejoined
  ! put "$etc/agent.env" 644 <<E || changed=yes
# Flags of the agent: wherry agent -- --help
WHERRY_AGENT_FLAGS="--node $node --hub $join --proxy-mode $mode"
E
  systemctl -q enable --now containerd
  start wherry-agent "$changed"
}

# Asked with the node's own credentials, which may read its own Node.
is_ready() {
  curl -fsS --cacert "$credentials/ca.crt" --cert "$credentials/node.crt" --key "$credentials/node.key" "$join/api/v1/nodes/$node" |
    tr -d ' \n' | tr '{' '\n' | grep '"type":"Ready"' | grep -q '"status":"True"'
}

ready_role() {
  wait_for "node $node to be ready" 900 'journalctl -u wherry-agent' is_ready
  address=$(ip -o route get "$(echo "$join" | sed 's,https://,,;s,:[0-9]*$,,')" | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  did="$node, $address, $mode"
}
