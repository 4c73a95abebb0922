/** A varint of protobuf at `at`: its value (exact up to 2^53) and where it ends. */
function varint(bytes: Buffer, at: number): { value: number; end: number } {
  let value = 0;
  let factor = 1;
  for (let index = at; index < Math.min(bytes.length, at + 10); index += 1) {
    const byte = bytes[index] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return { value, end: index + 1 };
    factor *= 128;
  }
  throw new Error('a protobuf varint has no end');
}

/** The fields of a protobuf message: numbers of varint fields, bytes of length-delimited ones; others are left out. */
export function* protobufFields(
  bytes: Buffer,
): Generator<{ field: number; value: number } | { field: number; bytes: Buffer }, void, void> {
  let at = 0;
  while (at < bytes.length) {
    const tag = varint(bytes, at);
    const field = Math.floor(tag.value / 8);
    const wire = tag.value % 8;
    if (wire === 1 || wire === 5) {
      at = tag.end + (wire === 1 ? 8 : 4);
      continue;
    }
    const { value, end } = varint(bytes, tag.end);
    if (wire === 0) {
      yield { field, value };
      at = end;
    } else if (wire === 2) {
      if (end + value > bytes.length) throw new Error('a protobuf message is cut off');
      yield { field, bytes: bytes.subarray(end, end + value) };
      at = end + value;
    } else throw new Error(`unknown protobuf wire type ${wire}`);
  }
}
