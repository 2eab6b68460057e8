/** What cannot be written as the protocol wants it. Nothing was written, so the channel is as it was. */
export class UnwritableError extends RangeError {}

const LONGEST_SHORT_STRING = 255;

/** A table of named values, such as the headers of a message (AMQP 0-9-1, field-table). Returns where it ends. */
export function writeTable(target: Buffer, start: number, headers: Readonly<Record<string, unknown>>): number {
  let end = start + 4;
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value !== undefined) end = writeValue(target, writeShortString(target, end, name), value);
  }
  target.writeUInt32BE(end - start - 4, start);
  return end;
}

/** Numbers in the smallest type that holds them, as amqplib writes them: it is what readers have seen so far. */
function writeValue(target: Buffer, start: number, value: unknown): number {
  if (typeof value === 'string') return writeLongString(target, tag(target, start, 'S'), value);
  if (typeof value === 'boolean') return target.writeUInt8(value ? 1 : 0, tag(target, start, 't'));
  if (typeof value === 'object') return writeObject(target, start, value);
  if (typeof value !== 'number') throw unwritable(value);
  if (isDouble(value)) return target.writeDoubleBE(value, tag(target, start, 'd'));
  if (value >= -0x80 && value < 0x80) return target.writeInt8(value, tag(target, start, 'b'));
  if (value >= -0x8000 && value < 0x8000) return target.writeInt16BE(value, tag(target, start, 's'));
  if (value >= -0x80000000 && value < 0x80000000) return target.writeInt32BE(value, tag(target, start, 'I'));
  return writeInteger64(target, tag(target, start, 'l'), value);
}

/** What arrived from other programs, in the form that amqplib gives it. */
function writeObject(target: Buffer, start: number, value: object | null): number {
  if (value === null) return tag(target, start, 'V');
  if (Buffer.isBuffer(value)) {
    const from = target.writeUInt32BE(value.length, tag(target, start, 'x'));
    return from + value.copy(target, from);
  }
  if (Array.isArray(value)) {
    const from = tag(target, start, 'A') + 4;
    let end = from;
    for (const each of value as unknown[]) end = writeValue(target, end, each);
    target.writeUInt32BE(end - from, from - 4);
    return end;
  }
  const typed = typedOf(value);
  if (!typed) return writeTable(target, tag(target, start, 'F'), value as Record<string, unknown>);
  if (typed['!'] === 'timestamp') return writeInteger64(target, tag(target, start, 'T'), typed.value);
  target.writeUInt8(typed.value.places, tag(target, start, 'D'));
  return target.writeUInt32BE(typed.value.digits, start + 2);
}

/** Exactly so many bytes a named value takes in its table. */
export function fieldBytes(name: string, value: unknown): number {
  return value === undefined ? 0 : 1 + Buffer.byteLength(name) + valueBytes(value);
}

/** Exactly so many bytes a value takes, with its type. @throws UnwritableError for what no header can be. */
export function valueBytes(value: unknown): number {
  if (typeof value === 'string') return 5 + Buffer.byteLength(value);
  if (typeof value === 'boolean') return 2;
  if (typeof value === 'number') {
    if (isDouble(value)) return 9;
    if (value >= -0x80 && value < 0x80) return 2;
    if (value >= -0x8000 && value < 0x8000) return 3;
    return value >= -0x80000000 && value < 0x80000000 ? 5 : 9;
  }
  if (value === null) return 1;
  if (typeof value !== 'object') throw unwritable(value);
  if (Buffer.isBuffer(value)) return 5 + value.length;
  if (Array.isArray(value)) return (value as unknown[]).reduce<number>((sum, each) => sum + valueBytes(each), 5);
  const typed = typedOf(value);
  if (typed) return typed['!'] === 'timestamp' ? 9 : 6;
  return Object.entries(value).reduce((sum, [name, each]) => sum + fieldBytes(name, each), 5);
}

type Typed = { '!': 'timestamp'; value: number } | { '!': 'decimal'; value: { places: number; digits: number } };

/** amqplib's form of what JavaScript has no type for. Undefined for a table of headers. */
function typedOf(value: object): Typed | undefined {
  const { '!': type, value: inner } = value as { '!'?: unknown; value?: unknown };
  if (type === undefined) return undefined;
  const { places, digits } = Object(inner) as Record<string, unknown>;
  const isTimestamp = type === 'timestamp' && isWhole(inner, Number.MAX_SAFE_INTEGER);
  const isDecimal = type === 'decimal' && isWhole(places, 255) && isWhole(digits, 2 ** 32 - 1);
  // amqplib would refuse any other type, and has no form for a table with this name in it.
  if (!isTimestamp && !isDecimal) throw new UnwritableError('A header has a table with "!" in it.');
  return value as Typed;
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most;
}

/** Signed 64-bit integers are the largest that RabbitMQ knows. */
function isDouble(value: number): boolean {
  return !Number.isInteger(value) || value >= 2 ** 63 || value < -(2 ** 63);
}

function unwritable(value: unknown): UnwritableError {
  return new UnwritableError(`A header cannot be of type ${typeof value}.`);
}

function tag(target: Buffer, start: number, type: string): number {
  target[start] = type.charCodeAt(0);
  return start + 1;
}

/** In two halves: a BigInt would cost more than all the rest. */
export function writeInteger64(target: Buffer, start: number, value: number): number {
  target.writeInt32BE(Math.floor(value / 0x1_0000_0000) | 0, start);
  return target.writeUInt32BE(value >>> 0, start + 4);
}

export function writeShortString(target: Buffer, start: number, text: string): number {
  const end = writeText(target, start + 1, text);
  const bytes = end - start - 1;
  if (bytes > LONGEST_SHORT_STRING)
    throw new UnwritableError(`A text of ${bytes} bytes does not fit into ${LONGEST_SHORT_STRING}.`);
  target[start] = bytes;
  return end;
}

function writeLongString(target: Buffer, start: number, text: string): number {
  const end = start + 4 + target.write(text, start + 4);
  target.writeUInt32BE(end - start - 4, start);
  return end;
}

/** Most are short and ASCII: then this is faster than to leave JavaScript. */
function writeText(target: Buffer, start: number, text: string): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0x7f || index === LONGEST_SHORT_STRING) return start + target.write(text, start);
    target[start + index] = code;
  }
  return start + text.length;
}
