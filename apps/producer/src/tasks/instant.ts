const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}:\d{2}:\d{2})(\.\d+)?(Z|[+-][0-2]\d:[0-5]\d)$/i;

/**
 * A date and time of RFC 3339, such as `2026-12-01T08:00:00Z`, as milliseconds since 1970; undefined for anything else.
 * Finer fractions are rounded up: no earlier than it says.
 */
export function instantMs(text: string): number | undefined {
  const [, year, month, day, time, fraction = '', zone] = RFC_3339.exec(text) ?? [];
  const wholeMs = Date.parse(`${year}-${month}-${day}T${time}${zone?.toUpperCase()}`);
  // JavaScript takes 30 February for 2 March, and 24:00 for the next day.
  const exists = Number(day) <= new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (Number.isNaN(wholeMs) || !exists || time?.startsWith('24')) return undefined;
  return wholeMs + Math.ceil(Number(`0${fraction}`) * 1_000);
}
