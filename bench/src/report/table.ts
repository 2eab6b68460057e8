import type { Samples } from './samples';
import type { Spread } from './statistics';

/** What a table needs to know of a work. */
export interface TableWork {
  name: string;
  title: string;
  baseline: string;
  columns: readonly { metric: string; heading: string; digits: number; hasRatio: boolean }[];
}

export interface TableRow {
  variant: string;
  row: string;
  title: string;
  note: string;
}

/** A Markdown table: the median and the range of each metric, and its ratio to the baseline's, round by round. */
export function tableOf(work: TableWork, rows: readonly TableRow[], samples: Samples): string {
  const hasVariants = rows.some(({ variant }) => variant !== '');
  const hasNotes = rows.some(({ note }) => note !== '');
  const headings = [
    ...(hasVariants ? [''] : []),
    '',
    ...work.columns.flatMap(({ heading, hasRatio }) => (hasRatio ? [heading, 'ratio'] : [heading])),
    ...(hasNotes ? ['note'] : []),
  ];
  const body = rows.map(({ variant, row, title, note }) => [
    ...(hasVariants ? [variant] : []),
    title,
    ...work.columns.flatMap(({ metric, digits, hasRatio }) => {
      const place = { work: work.name, variant, row, metric };
      const ratio = samples.ratio(place, { ...place, row: work.baseline });
      return [cellOf(samples.spread(place), digits), ...(hasRatio ? [cellOf(ratio, 2)] : [])];
    }),
    ...(hasNotes ? [note] : []),
  ]);
  const aligned = headings.map((heading) => (['', 'note'].includes(heading) ? '---' : '--:'));
  return [`### ${work.title}`, '', ...[headings, aligned, ...body].map(lineOf), ''].join('\n');
}

export function lineOf(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** `12,345 (11,900–12,800)`; one number where all rounds agree, as one round does. */
export function cellOf(spread: Spread | undefined, digits: number): string {
  if (!spread) return '-';
  const [median, least, most] = [spread.median, spread.least, spread.most].map((value) => textOf(value, digits));
  return least === most ? String(median) : `${median} (${least}–${most})`;
}

export function textOf(value: number, digits: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
