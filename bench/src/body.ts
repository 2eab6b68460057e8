export type Body = Record<string, unknown> & { type: string };

/** A task of exactly so many bytes as JSON: an order, and a note that makes up the rest. */
export function bodyOf(bytes: number): Body {
  const body = {
    type: 'order.paid',
    orderId: 4711,
    customer: { id: 'c-90125', country: 'DE' },
    totalCents: 12_990,
    isGift: false,
    note: '',
  };
  const rest = bytes - Buffer.byteLength(JSON.stringify(body));
  if (rest < 0) throw new RangeError(`A task has at least ${bytes - rest} bytes.`);
  return { ...body, note: 'n'.repeat(rest) };
}
