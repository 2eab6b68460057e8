import { lineOf, textOf } from './table';
import type { Place, Samples } from './samples';

/** What Mercury must reach: the ratio of two measurements of the same run, or one measurement by itself. */
export interface Goal {
  of: Place;
  /** Of which it is the ratio. */
  to?: Place;
  /** One of the two. */
  atLeast?: number;
  atMost?: number;
  /** Told, but never grossly missed: one disturbance of the machine decides it. */
  isNoisy?: boolean;
}

export interface GoalResult extends Goal {
  value: number;
  isMet: boolean;
  /** In every round worse than half of the goal: more than noise can explain. */
  isGrosslyMissed: boolean;
}

/** Only those that this run has measured. */
export function resultsOf(goals: readonly Goal[], samples: Samples): GoalResult[] {
  return goals.flatMap((goal) => {
    const spread = goal.to ? samples.ratio(goal.of, goal.to) : samples.spread(goal.of);
    if (!spread) return [];
    const { median: value, least, most } = spread;
    const { atLeast = -Infinity, atMost = Infinity, isNoisy = false } = goal;
    const isMet = value >= atLeast && value <= atMost;
    return [{ ...goal, value, isMet, isGrosslyMissed: !isNoisy && (most < atLeast / 2 || least > atMost * 2) }];
  });
}

/** A Markdown table of what is met and what is not. */
export function goalsTableOf(results: readonly GoalResult[]): string {
  const rows = results.map((result) => [
    nameOf(result.of),
    result.to ? `÷ ${otherNameOf(result.of, result.to)}` : '',
    result.atLeast === undefined ? `≤ ${result.atMost}` : `≥ ${result.atLeast}`,
    textOf(result.value, 2),
    result.isMet ? 'met' : '**not met**',
  ]);
  const head = [
    ['goal', 'compared with', 'must', 'measured', ''],
    ['---', '---', '--:', '--:', '---'],
  ];
  return ['### Goals', '', ...[...head, ...rows].map(lineOf), ''].join('\n');
}

/** `enqueue ratePerS mercury/amqplib`: for programs, and for one line of a log. */
export function keyOf({ of, to }: Goal): string {
  return to ? `${nameOf(of)} / ${otherNameOf(of, to)}` : nameOf(of);
}

function nameOf({ work, variant, row, metric }: Place): string {
  return [work, variant, row, metric].filter((part) => part !== '').join(' ');
}

/** What differs. */
function otherNameOf(of: Place, to: Place): string {
  const parts = (['work', 'variant', 'row', 'metric'] as const).filter((part) => of[part] !== to[part]);
  return parts.map((part) => to[part]).join(' ');
}
