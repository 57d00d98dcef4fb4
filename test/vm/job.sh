# The first process of a test machine, on the host's files: runs the job that the host left in /job/start, leaves its exit code in
# /job/exit and turns the machine off.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

ip link set lo up
echo wherry-test >/proc/sys/kernel/hostname
# From here on the console also has the processes that crash.
echo 7 >/proc/sys/kernel/printk

mkdir /dev/vm
for port in /sys/class/virtio-ports/*; do
  ln -s "/dev/${port##*/}" "/dev/vm/$(cat "$port/name")"
done

sh /job/start </dev/null >/dev/vm/output 2>&1
echo $? >/job/exit
sync
echo o >/proc/sysrq-trigger
# Turning off takes a moment, and the end of this process would be a panic.
while :; do sleep 1; done
