// test: link=static
// No library at all: what a process has at its first instruction (stack, registers), plain system calls, exit status.
    .text
    .globl main
main:
    mov x29, sp
    tst x29, #15
    b.ne bad
    mov x8, #64
    mov x0, #1
    adr x1, text
    mov x2, #12
    svc #0
    cmp x0, #12
    b.ne bad
    // A call that does not exist.
    mov x8, #4000
    svc #0
    cmn x0, #38
    b.ne bad
    // Registers survive a call, x0 aside.
    mov x1, #11
    mov x7, #17
    mov x16, #116
    mov x18, #118
    mov x30, #130
    fmov d9, #1.5
    mov x8, #172
    svc #0
    cmp x1, #11
    ccmp x7, #17, #0, eq
    b.ne bad
    cmp x16, #116
    b.ne bad
    cmp x18, #118
    b.ne bad
    cmp x30, #130
    b.ne bad
    cmp x8, #172
    b.ne bad
    mov x8, #94
    mov x0, #0
    svc #0
bad:
    mov x8, #94
    mov x0, #1
    svc #0
    .balign 4
text:
    .ascii "first words\n"
    .section .note.GNU-stack, "", %progbits
