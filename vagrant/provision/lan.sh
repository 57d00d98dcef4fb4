#!/bin/sh
# With the qemu provider: gives the network card with this hardware address its address, now and at each boot, whatever the card is
# called. On the hub, what comes in for the API on the other card is led to the address where the API is.
#
#   lan.sh MAC ADDRESS [hub]
set -eu
mac=$1 address=$2 role=${3-}

cat >/usr/local/sbin/wherry-lan <<E
#!/bin/sh
# Written by lan.sh.
set -eu
dev=\$(ip -o link | awk 'tolower(\$0) ~ /$mac/ { sub(":", "", \$2); print \$2; exit }')
[ -n "\$dev" ] || { echo "there is no network card $mac" >&2; exit 1; }
ip link set "\$dev" up
ip address replace $address/24 dev "\$dev"
E
[ "$role" != hub ] || cat >>/usr/local/sbin/wherry-lan <<E
command -v nft >/dev/null || exit 0
nft -f - <<'N'
table ip wherry-lan
delete table ip wherry-lan
table ip wherry-lan {
  chain prerouting {
    type nat hook prerouting priority -110
    ip daddr != $address fib daddr type local tcp dport 6443 dnat to $address
  }
}
N
E
chmod 755 /usr/local/sbin/wherry-lan
cat >/etc/systemd/system/wherry-lan.service <<'E'
[Unit]
Description=Address on the network between the machines
After=systemd-udev-settle.service
Wants=systemd-udev-settle.service
Before=wherry-hub.service wherry-agent.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/wherry-lan
Restart=on-failure
RestartSec=2

[Install]
WantedBy=multi-user.target
E
systemctl daemon-reload
systemctl -q enable wherry-lan
systemctl restart wherry-lan
