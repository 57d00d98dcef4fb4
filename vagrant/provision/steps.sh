# shellcheck shell=sh
# What the provisioning scripts share: one line for each step with its time, and errors with a way out. Sourced, not run.

# Milliseconds since boot: the wall clock may be set meanwhile.
now() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }

fail() { # what happened, what to do
  echo "wherry: $1" >&2
  echo "        $2" >&2
  exit 1
}

# A step is a function that says in $did what it did.
step() { # label, function, its arguments
  label=$1
  shift
  begin=$(now)
  did=
  "$@"
  end=$(now)
  awk -v label="$label" -v did="$did" -v ms=$((end - begin)) \
    'BEGIN { printf "  ✓ %s%s (%.1f s)\n", label, (did == "" ? "" : ": " did), ms / 1000 }'
}

# Runs a command until it succeeds. The deadline is generous: an emulated machine is twenty times slower than a real one.
wait_for() { # what, seconds, what to do otherwise, the command
  what=$1 seconds=$2 advice=$3
  shift 3
  until_ms=$(($(now) + seconds * 1000))
  until "$@" >/dev/null 2>&1; do
    [ "$(now)" -lt "$until_ms" ] || fail "waited $seconds s for $what" "$advice"
    sleep 1
  done
}

# Writes standard input to a file unless it says so already. Succeeds if it wrote.
put() { # file, mode
  fresh=$(mktemp)
  cat >"$fresh"
  if [ -e "$1" ] && cmp -s "$fresh" "$1"; then
    rm -f "$fresh"
    return 1
  fi
  mkdir -p "$(dirname "$1")"
  install -m "$2" "$fresh" "$1"
  rm -f "$fresh"
}
