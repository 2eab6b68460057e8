import type { Bound } from './fault';
import type { PutLedger, WorkLedger } from './ledger';

/** A message found in a queue when all was over. */
export interface Found {
  id: string;
  /** Of a dead letter: why. */
  reason: string | undefined;
}

export interface Accounts {
  puts: PutLedger;
  work: WorkLedger;
  dead: readonly Found[];
  /** Still in the work queue or a retry level. */
  queued: readonly Found[];
}

export interface Verdict {
  confirmed: number;
  unknown: number;
  succeeded: number;
  dead: number;
  queued: number;
  duplicates: number;
  lost: number;
  violations: string[];
}

/** Settles the accounts: what was promised when a task was confirmed, against what became of it. Knows no broker. */
export function settleAccounts({ puts, work, dead, queued }: Accounts, bound: Bound): Verdict {
  const deadIds = new Set(dead.map(({ id }) => id));
  const queuedIds = new Set(queued.map(({ id }) => id));
  const confirmed = [...puts.confirmedAtMs.keys()];
  const succeeded = confirmed.filter((id) => work.finishedAtMs.has(id));
  const lost = confirmed.filter((id) => !work.finishedAtMs.has(id) && !deadIds.has(id) && !queuedIds.has(id));
  const wronglyLost = lost.filter((id) => !bound.mayBeLost?.(id));
  const innocent = bound.mayBeDead ? [...deadIds].filter((id) => !bound.mayBeDead?.(id)) : [];
  const again = queued.filter(({ id }) => work.finishedAtMs.has(id) || deadIds.has(id)).length;
  const twice = [...work.starts.values()].reduce((sum, starts) => sum + starts - 1, 0) + again;
  const both = dead.filter(({ id }) => work.finishedAtMs.has(id)).length;
  const phantoms = [...puts.refused].filter((id) => work.runs.has(id) || deadIds.has(id) || queuedIds.has(id));
  const violations = [
    ...atMost('confirmed tasks lost', wronglyLost.length, 0, wronglyLost),
    ...atMost('duplicates', twice, bound.duplicates),
    ...exactly('dead letters', dead.length, bound.dead ?? 0, [...deadIds]),
    ...atMost('innocent tasks dead', innocent.length, 0, innocent),
    ...atMost('dead letters twice', dead.length - deadIds.size, 0),
    ...atMost('tasks both succeeded and dead', both, 0),
    ...atMost('dead letters without a reason', dead.filter(({ reason }) => !reason).length, 0),
    ...atMost('tasks still queued at the end', queued.length, 0, [...queuedIds]),
    ...atMost('tasks executed whose caller was told that they are not stored', phantoms.length, 0, phantoms),
    ...wrongRuns(confirmed, work, bound),
  ];
  return {
    confirmed: confirmed.length,
    unknown: puts.unknown.size,
    succeeded: succeeded.length,
    dead: deadIds.size,
    queued: queuedIds.size,
    duplicates: twice,
    lost: lost.length,
    violations,
  };
}

function wrongRuns(confirmed: readonly string[], work: WorkLedger, { runsEach }: Bound): string[] {
  if (runsEach === undefined) return [];
  const wrong = confirmed.filter((id) => (work.runs.get(id) ?? 0) !== runsEach);
  const most = Math.max(0, ...confirmed.map((id) => work.runs.get(id) ?? 0));
  return wrong.length === 0 ? [] : [`${wrong.length} tasks did not run ${runsEach} times; the most was ${most}`];
}

function atMost(what: string, count: number, most: number, ids: readonly string[] = []): string[] {
  return count <= most ? [] : [`${count} ${what}${most > 0 ? `, at most ${most} allowed` : ''}${some(ids)}`];
}

function exactly(what: string, count: number, wanted: number, ids: readonly string[]): string[] {
  return count === wanted ? [] : [`${count} ${what} instead of ${wanted}${some(ids)}`];
}

function some(ids: readonly string[]): string {
  return ids.length === 0 ? '' : ` (${ids.slice(0, 3).join(', ')}${ids.length > 3 ? ' …' : ''})`;
}
