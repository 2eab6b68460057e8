import type { Profiler } from 'node:inspector';
import { callTreeOf, type Call } from './call-tree';
import { FrameReader } from './frame';

const reader = new FrameReader('/project');

const node = (id: number, functionName: string, children: number[] = [], lineNumber = id): Profiler.ProfileNode => ({
  ...{ id, children },
  callFrame: { functionName, scriptId: '1', url: 'file:///project/libs/a.js', lineNumber, columnNumber: 0 },
});

/** A sample every 10 µs from 1,000 µs on. */
function recordingOf(nodes: Profiler.ProfileNode[], samples: number[], fromUs = 0, toUs = Infinity) {
  const profile = { nodes, samples, timeDeltas: samples.map((_, index) => (index === 0 ? 0 : 10)) };
  return { profile: { ...profile, startTime: 1_000, endTime: 1_000 + samples.length * 10 }, fromUs, toUs };
}

const treeOf = (...recordings: Parameters<typeof callTreeOf>[0]) =>
  callTreeOf(recordings, (callFrame) => reader.read(callFrame));

/** `a 30/10 (b 20/20)`: name, total and self time, and the callees. */
function textOf({ frame, totalUs, selfUs, callees }: Call): string {
  const inner = callees.length === 0 ? '' : ` (${callees.map(textOf).join(' ')})`;
  return `${frame.name} ${totalUs}/${selfUs}${inner}`;
}

describe('the call tree of profiles', () => {
  it('gives each function the time until the next sample, and that of what it calls', () => {
    const nodes = [node(1, '(root)', [2]), node(2, 'a', [3]), node(3, 'b')];
    expect(textOf(treeOf(recordingOf(nodes, [2, 3, 3, 2])).root)).toBe('all 30/0 (a 30/10 (b 20/20))');
  });

  it('counts only the stretch that was measured', () => {
    const nodes = [node(1, '(root)', [2, 3]), node(2, 'warmUp'), node(3, 'measured')];
    const { root } = treeOf(recordingOf(nodes, [2, 2, 3, 3, 2, 2], 1_020, 1_030));
    expect(textOf(root)).toBe('all 20/0 (warmUp 0/0 measured 20/20)');
  });

  it('leaves idle time out, and tells how much it was', () => {
    const nodes = [node(1, '(root)', [2, 3]), node(2, '(idle)'), node(3, 'a')];
    const { root, idleUs } = treeOf(recordingOf(nodes, [2, 2, 2, 3, 2]));
    expect([textOf(root), idleUs]).toEqual(['all 10/0 (a 10/10)', 30]);
  });

  it('merges equal stacks, of one profile and of several', () => {
    const once = recordingOf([node(1, '(root)', [2]), node(2, 'a')], [2, 2]);
    const twice = [node(1, '(root)', [3, 4]), node(3, 'a', [], 2), node(4, 'a', [], 2)];
    expect(textOf(treeOf(once, recordingOf(twice, [3, 4, 4])).root)).toBe('all 30/0 (a 30/30)');
  });

  it('keeps functions of one name apart when they stand in different lines', () => {
    const nodes = [node(1, '(root)', [2, 3]), node(2, 'a', [], 5), node(3, 'a', [], 6)];
    expect(textOf(treeOf(recordingOf(nodes, [2, 3, 3])).root)).toBe('all 20/0 (a 10/10 a 10/10)');
  });

  it('makes one call of a function that calls itself', () => {
    const nodes = [
      ...[node(1, '(root)', [2]), node(2, 'a', [3], 7), node(3, 'a', [4], 7), node(4, 'a', [5], 7)],
      node(5, 'b', [6]),
      node(6, 'a', [], 7),
    ];
    expect(textOf(treeOf(recordingOf(nodes, [2, 3, 4, 5, 6, 6])).root)).toBe('all 50/0 (a 50/30 (b 20/10 (a 10/10)))');
  });

  it('of nothing is empty', () => {
    expect(textOf(treeOf().root)).toBe('all 0/0');
    expect(textOf(treeOf(recordingOf([node(1, '(root)')], [])).root)).toBe('all 0/0');
  });
});
