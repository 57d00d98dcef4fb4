/**
 * A UDP server as a static ELF program of a few hundred bytes, because busybox has no applet that answers datagrams.
 *
 * It listens on port 8080 of all IPv4 addresses and answers each datagram, whatever is in it, with its first argument, the
 * sender's address in decimal and a line feed. It ends with code 1 if the port is taken. What stands behind the bytes is
 * their disassembly (`objdump -d`), so that a reader can check one against the other; the test runs them.
 */

export type Architecture = 'amd64' | 'arm64'

/** x86-64: r12 the argument, ebx the socket, [rsp] the peer's sockaddr_in, [rsp+0x10] its length, [rsp+0x20] the datagram. */
const amd64 = `
_start:
  4c8b642410            mov r12,[rsp+0x10]
  4881ec00100000        sub rsp,0x1000
  bf02000000            mov edi,0x2
  be02000000            mov esi,0x2
  31d2                  xor edx,edx
  b829000000            mov eax,0x29
  0f05                  syscall
  89c3                  mov ebx,eax
  48b802001f9000000000  movabs rax,0x901f0002
  48890424              mov [rsp],rax
  31c0                  xor eax,eax
  4889442408            mov [rsp+0x8],rax
  89df                  mov edi,ebx
  4889e6                mov rsi,rsp
  ba10000000            mov edx,0x10
  b831000000            mov eax,0x31
  0f05                  syscall
  85c0                  test eax,eax
  0f859f000000          jne fail
again:
  c744241010000000      mov [rsp+0x10],0x10
  89df                  mov edi,ebx
  488d742420            lea rsi,[rsp+0x20]
  ba00080000            mov edx,0x800
  4531d2                xor r10d,r10d
  4989e0                mov r8,rsp
  4c8d4c2410            lea r9,[rsp+0x10]
  b82d000000            mov eax,0x2d
  0f05                  syscall
  85c0                  test eax,eax
  78d6                  js again
  488d7c2420            lea rdi,[rsp+0x20]
  4c89e6                mov rsi,r12
  b900080000            mov ecx,0x800
copy:
  ac                    lods al,ds:[rsi]
  84c0                  test al,al
  7405                  je address
  aa                    stos es:[rdi],al
  ffc9                  dec ecx
  75f6                  jne copy
address:
  488d742404            lea rsi,[rsp+0x4]
  41be04000000          mov r14d,0x4
octet:
  ac                    lods al,ds:[rsi]
  0fb6c0                movzx eax,al
  b90a000000            mov ecx,0xa
  4531ff                xor r15d,r15d
digit:
  31d2                  xor edx,edx
  f7f1                  div ecx
  83c230                add edx,0x30
  52                    push rdx
  41ffc7                inc r15d
  85c0                  test eax,eax
  75f1                  jne digit
emit:
  58                    pop rax
  aa                    stos es:[rdi],al
  41ffcf                dec r15d
  75f9                  jne emit
  b02e                  mov al,0x2e
  41ffce                dec r14d
  7502                  jne dot
  b00a                  mov al,0xa
dot:
  aa                    stos es:[rdi],al
  75d2                  jne octet
  488d742420            lea rsi,[rsp+0x20]
  4889fa                mov rdx,rdi
  4829f2                sub rdx,rsi
  89df                  mov edi,ebx
  4531d2                xor r10d,r10d
  4989e0                mov r8,rsp
  41b910000000          mov r9d,0x10
  b82c000000            mov eax,0x2c
  0f05                  syscall
  e961ffffff            jmp again
fail:
  bf01000000            mov edi,0x1
  b83c000000            mov eax,0x3c
  0f05                  syscall
`

/** AArch64: x20 the argument, w19 the socket, [sp] the peer's sockaddr_in, [sp, #16] its length, [sp, #32] the datagram. */
const arm64 = `
_start:
  f40b40f9              ldr x20, [sp, #16]
  ff0740d1              sub sp, sp, #0x1, lsl #12
  40008052              mov w0, #0x2
  41008052              mov w1, #0x2
  02008052              mov w2, #0x0
  c8188052              mov w8, #0xc6
  010000d4              svc #0x0
  f303002a              mov w19, w0
  49008052              mov w9, #0x2
  e903b272              movk w9, #0x901f, lsl #16
  e97f00a9              stp x9, xzr, [sp]
  e1030091              mov x1, sp
  02028052              mov w2, #0x10
  08198052              mov w8, #0xc8
  010000d4              svc #0x0
  80060035              cbnz w0, fail
again:
  09028052              mov w9, #0x10
  e91300b9              str w9, [sp, #16]
  e003132a              mov w0, w19
  e1830091              add x1, sp, #0x20
  02008152              mov w2, #0x800
  03008052              mov w3, #0x0
  e4030091              mov x4, sp
  e5430091              add x5, sp, #0x10
  e8198052              mov w8, #0xcf
  010000d4              svc #0x0
  c0feff37              tbnz w0, #31, again
  e1830091              add x1, sp, #0x20
  e90314aa              mov x9, x20
  0a008152              mov w10, #0x800
copy:
  2b154038              ldrb w11, [x9], #1
  8b000034              cbz w11, address
  2b140038              strb w11, [x1], #1
  4a050051              sub w10, w10, #0x1
  8affff35              cbnz w10, copy
address:
  e9130091              add x9, sp, #0x4
  8a008052              mov w10, #0x4
  4c018052              mov w12, #0xa
octet:
  2b154038              ldrb w11, [x9], #1
  ed832891              add x13, sp, #0xa20
  ee030daa              mov x14, x13
digit:
  6f09cc1a              udiv w15, w11, w12
  f0ad0c1b              msub w16, w15, w12, w11
  10c20011              add w16, w16, #0x30
  d0fd1f38              strb w16, [x14, #-1]!
  eb030f2a              mov w11, w15
  6bffff35              cbnz w11, digit
emit:
  d0154038              ldrb w16, [x14], #1
  30140038              strb w16, [x1], #1
  df010deb              cmp x14, x13
  a1ffff54              b.ne emit
  d0058052              mov w16, #0x2e
  30140038              strb w16, [x1], #1
  4a050051              sub w10, w10, #0x1
  0afeff35              cbnz w10, octet
  50018052              mov w16, #0xa
  30f01f38              sturb w16, [x1, #-1]
  e003132a              mov w0, w19
  e90301aa              mov x9, x1
  e1830091              add x1, sp, #0x20
  220101cb              sub x2, x9, x1
  03008052              mov w3, #0x0
  e4030091              mov x4, sp
  05028052              mov w5, #0x10
  c8198052              mov w8, #0xce
  010000d4              svc #0x0
  ceffff17              b again
fail:
  20008052              mov w0, #0x1
  a80b8052              mov w8, #0x5d
  010000d4              svc #0x0
`

/** ELF's names for the machines (elf(5), e_machine). */
const machines = { amd64: { number: 62, listing: amd64 }, arm64: { number: 183, listing: arm64 } } as const

const headerBytes = 64
const segmentBytes = 56
/** Where the one segment is loaded. */
const base = 0x400000n

/** @returns the whole program file */
export function udpEcho(architecture: Architecture): Uint8Array {
  const { number, listing } = machines[architecture]
  const code = machineCode(listing)
  const size = headerBytes + segmentBytes + code.length
  const file = Buffer.alloc(size)
  // The ELF header: 64 bit, little endian, version 1, an executable.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  file.writeUInt16LE(2, 16)
  file.writeUInt16LE(number, 18)
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(base + BigInt(headerBytes + segmentBytes), 24)
  file.writeBigUInt64LE(BigInt(headerBytes), 32)
  file.writeUInt16LE(headerBytes, 52)
  file.writeUInt16LE(segmentBytes, 54)
  file.writeUInt16LE(1, 56)
  // The program header: all of the file, to be read and executed.
  file.writeUInt32LE(1, headerBytes)
  file.writeUInt32LE(5, headerBytes + 4)
  file.writeBigUInt64LE(base, headerBytes + 16)
  file.writeBigUInt64LE(base, headerBytes + 24)
  file.writeBigUInt64LE(BigInt(size), headerBytes + 32)
  file.writeBigUInt64LE(BigInt(size), headerBytes + 40)
  file.writeBigUInt64LE(0x1000n, headerBytes + 48)
  file.set(code, headerBytes + segmentBytes)
  return file
}

/** The hexadecimal words that begin the lines of a listing; lines with a label have none. */
function machineCode(listing: string): Uint8Array {
  return Buffer.from([...listing.matchAll(/^ {2}([0-9a-f]+) /gm)].map((row) => row[1]).join(''), 'hex')
}
