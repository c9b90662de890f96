// How weights [N, K] lie in the device's memory: the arrays that weights/pack.hpp writes and linear_blocks.h
// reads. Plain C types, read by NVRTC, the emulator and the plugin's host code alike.
//
// Quantised: blocks of 32 values along K, numbered row by row: b = row * (K / 32) + k / 32. Every array has
// one entry a block, in that order (`supers`: one for 8 blocks), so that a warp whose lanes take neighbouring
// blocks reads whole lines, 16 bytes a lane. Every array begins at a multiple of 256 bytes.
//
//   type   value                quants, 16 bytes   extra, bytes        scales, bytes          supers, bytes
//   Q8_0   d * q                bytes of 0..15     16: bytes of 16..31  2: half d              -
//   Q4_0   d * (q-8)            nibbles            -                   2: half d              -
//   Q5_0   d * (q-16)           upper 4 bits       4: lowest bit       2: half d              -
//   Q4_1   d * q + m            nibbles            -                   4: halves d, m         -
//   Q5_1   d * q + m            lower 4 bits       4: fifth bit        4: halves d, m         -
//   Q4_K   d*s * q - dmin*m     nibbles            -                   2: u8 s, m             4: halves d,
//   dmin Q5_K   d*s * q - dmin*m     lower 4 bits       4: fifth bit        2: u8 s, m             4: halves
//   d, dmin Q6_K   d*s * (q-32)         upper 4 bits       8: lower 2 bits     2: i8 s of 0..15 and   2: half
//   d
//                                                                         of 16..31
//
//   nibbles   byte i: value i in the low one, value i + 16 in the high one
//   one bit   of value v: bit v / 4 of byte v % 4
//   two bits  of value v: bits 2 * (v / 4 % 4) and the next of byte v % 4; values 16..31 in the second four
//   bytes
//
// So one word of 32 bits holds bits of all the values 4j..4j+3, a byte for each, and two operations make it
// an operand of dp4a. Where the value has no offset of its own (Q4_0, Q5_0, Q6_K) q - zero is stored, in
// two's complement.
//
// Floats (F32, F16, BF16): `quants` alone: rows of K values, each filled up with zeros to a multiple of 8.
#pragma once

struct WeightPlanes {
  const void* quants;
  const void* extra;
  const void* scales;
  const void* supers;
};
