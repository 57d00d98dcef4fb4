#!/bin/sh
# What Vagrant runs in a machine: unpacks the project that it has brought, and installs it.
#
#   unpack.sh MAC ADDRESS INSTALL_OPTIONS...    where there is a network card with this hardware address, it gets the address
set -eu
mac=$1 address=$2
shift 2
src=$(mktemp -d)
trap 'rm -rf "$src" /tmp/wherry.tar.gz' EXIT
tar -xzf /tmp/wherry.tar.gz -C "$src" --no-same-owner
! ip -o link | grep -qi "$mac" || sh "$src/vagrant/provision/lan.sh" "$mac" "$address" "${1#--}"
sh "$src/vagrant/provision/install.sh" "$@"
