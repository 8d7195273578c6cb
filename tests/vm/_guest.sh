# shellcheck shell=bash
# A guest of QEMU with Debian's own kernel, made of this machine's files. Sourced by run.
#
#   switch (namespace)                  guest
#     bridge transit --- tap "guest" --- eth0
#     $RUN/guest.in, $RUN/guest.out ---- ttyS1: commands, their output and status
#
# Emulated (TCG): not every machine that tests run on can give a guest its own processor.

GUEST_MEMORY_MIB=144
GUEST_MODULES="virtio_pci virtio_net veth ip6_tunnel ip6_gre ip_gre sit ipip fou"

# Copies programs to where they are here, with the libraries that they load.
copy_with_libraries() { # copy_with_libraries root file ...
    local file
    for file in "${@:2}"; do
        { echo "$file" && ldd "$file" | grep -o '/[^ ]*'; } |
            while read -r file; do [[ -e $1$file ]] || install -D "$file" "$1$file"; done
    done
}

# The standard library as far as exchange.py needs it.
copy_python() { # copy_python root
    /usr/bin/python3 -I -S -c 'import socket, sys
for m in sys.modules.values():
    file = getattr(m, "__file__", None)
    if file: print(file)' | while read -r file; do install -D "$file" "$1$file"; done
    local program
    program=$(readlink -f /usr/bin/python3)
    copy_with_libraries "$1" "$program"
    ln -s "${program##*/}" "$1/usr/bin/python3"
    mkdir -p "$1/usr/lib/${program##*/}/lib-dynload" # it wants one
}

guest_image() { # guest_image file
    local root version n=100 file
    root=$(mktemp -d "$RUN/image.XXXX")
    # shellcheck disable=SC2154 # of scripts/setup
    version=$(basename "$vm_kernel"/lib/modules/*)
    mkdir -p "$root"/{bin,sbin,modules,proc,sys,dev,run,tmp,lib,var}
    ln -s /run "$root/var/run"
    install tests/vm/init "$root/init"
    install tests/vm/exchange.py "$root/exchange.py"
    install /bin/busybox "$root/bin/busybox"
    copy_with_libraries "$root" "$(readlink -f "$(command -v ip)")"
    copy_python "$root"
    # shellcheck disable=SC2086 # words
    modprobe -a -d "$vm_kernel" -S "$version" --show-depends $GUEST_MODULES |
        awk '$1 == "insmod" && !seen[$2]++ {print $2}' |
        while read -r file; do
            cp "$file" "$root/modules/$((n++))-${file##*/}"
        done
    find "$root/modules" -name '*.xz' -exec xz -d {} + # Debian 13
    (cd "$root" && find . | cpio --quiet -o -H newc) >"$1"
    rm -rf "$root"
}

# Boots it and waits until it takes commands.
guest_start() {
    guest_image "$RUN/guest.cpio"
    mkfifo "$RUN/guest.in" "$RUN/guest.out"
    exec 7<>"$RUN/guest.in" 8<>"$RUN/guest.out"
    in_ns switch ip tuntap add guest mode tap
    in_ns switch ip link set guest master transit up
    start guest switch nice -n 5 qemu-system-x86_64 -accel tcg -M pc -cpu max -m $GUEST_MEMORY_MIB \
        -nodefaults -no-reboot -display none \
        -kernel "$vm_kernel/image" -initrd "$RUN/guest.cpio" \
        -append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on" \
        -serial "file:$RUN/console.log" -chardev "pipe,id=commands,path=$RUN/guest" -serial chardev:commands \
        -netdev tap,id=eth0,ifname=guest,script=no,downscript=no \
        -device virtio-net-pci,netdev=eth0,romfile=,csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ufo=off
    guest_answer || fail "the guest did not come up"
}

guest_answer() { # the output of a command, and its status
    local line
    while IFS= read -r -t 60 line <&8; do
        case $line in
            =*) return "${line#=}" ;;
            *) echo "${line# }" ;;
        esac
    done
    fail "the guest does not answer"
}

# Runs a command of the shell in the guest.
guest() { # guest command ...
    local line="$*"
    printf '%s\n' "${line//$'\n'/ }" >&7
    guest_answer
}
