import type { Verdict } from './checker';
import type { Outcome } from './fault';

export interface Row {
  name: string;
  title: string;
  outcome: Outcome | undefined;
  verdict: Verdict | undefined;
  tookMs: number;
  /** Why it failed; empty when it passed. */
  reasons: readonly string[];
  /** Of a proof that the checker sees: what it saw. */
  seen: string | undefined;
}

const HEADINGS = ['fault', 'dose', 'confirmed', 'succeeded', 'dead', 'duplicates', 'lost', 'recovery', 'result'];

export function cellsOf({ name, outcome, verdict, reasons, seen }: Row): string[] {
  const number = (value: number | undefined) => (value === undefined ? '-' : value.toLocaleString('en'));
  const allowed = outcome && verdict && verdict.duplicates > 0 ? ` of ${number(outcome.bound.duplicates)}` : '';
  const result = reasons.length > 0 ? `FAILED: ${reasons.join('; ')}` : seen ? `ok, seen: ${seen}` : 'ok';
  return [
    name,
    outcome?.dose ?? '-',
    number(verdict?.confirmed),
    number(verdict?.succeeded),
    number(verdict?.dead),
    `${number(verdict?.duplicates)}${allowed}`,
    number(verdict?.lost),
    recoveryOf(outcome?.recoveriesMs),
    [result, ...(outcome?.notes ?? [])].join('; '),
  ];
}

/** One line for a terminal. */
export function lineOf(row: Row): string {
  const [name = '', dose = '', ...rest] = cellsOf(row);
  const result = rest.pop() ?? '';
  const numbers = rest.map((cell, index) => `${HEADINGS[index + 2]} ${cell}`).join(' | ');
  return `${name} | ${dose} | ${numbers} | ${(row.tookMs / 1000).toFixed(0)} s | ${result}`;
}

export function markdownOf(rows: readonly Row[], heading: string): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const body = rows.map((row) => line(cellsOf({ ...row, name: row.title })));
  return [heading, '', line(HEADINGS), line(HEADINGS.map(() => '---')), ...body, ''].join('\n');
}

/** For programs. */
export function jsonOf(rows: readonly Row[], heading: string): string {
  const numFailedTests = rows.filter(({ reasons }) => reasons.length > 0).length;
  const faults = rows.map(({ outcome, ...row }) => ({ ...row, dose: outcome?.dose, notes: outcome?.notes }));
  // The counters have the names of Jest's own.
  return JSON.stringify({ heading, numPassedTests: rows.length - numFailedTests, numFailedTests, faults }, null, 2);
}

/** The longest, which is what a bound is about, and how many there were. */
function recoveryOf(recoveriesMs: readonly number[] | undefined): string {
  if (!recoveriesMs || recoveriesMs.length === 0) return '-';
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const most = seconds(Math.max(...recoveriesMs));
  return recoveriesMs.length === 1 ? most : `at most ${most} (${recoveriesMs.length})`;
}
