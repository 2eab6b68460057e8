import type { Profiler, Runtime } from 'node:inspector';
import { NATIVE, type Frame } from './frame';

/** A function as called by those above it in the tree, in all profiles together. */
export interface Call {
  frame: Frame;
  /** With what it calls. */
  totalUs: number;
  selfUs: number;
  callees: Call[];
}

export interface CallTree {
  /** Of all the time in which the processes were not idle. */
  root: Call;
  idleUs: number;
}

/** One process's profile, and what of it counts: in µs of the profile's own clock. */
export interface Recording {
  profile: Profiler.Profile;
  fromUs: number;
  toUs: number;
}

/** Merges equal stacks of all profiles; a function that calls itself directly is one call. */
export function callTreeOf(
  recordings: readonly Recording[],
  frameOf: (callFrame: Runtime.CallFrame) => Frame,
): CallTree {
  const root = callOf({ name: 'all', place: '', origin: NATIVE });
  let idleUs = 0;
  for (const recording of recordings) {
    const selfUs = selfUsOf(recording);
    const nodes = new Map(recording.profile.nodes.map((node) => [node.id, node]));
    const add = (node: Profiler.ProfileNode, caller: Call): void => {
      const nodeUs = selfUs.get(node.id) ?? 0;
      if (node.callFrame.functionName === '(idle)') {
        idleUs += nodeUs;
        return;
      }
      const call = node.callFrame.functionName === '(root)' ? root : calleeOf(caller, frameOf(node.callFrame));
      call.selfUs += nodeUs;
      for (const id of node.children ?? []) {
        const child = nodes.get(id);
        if (child) add(child, call);
      }
    };
    const [top] = recording.profile.nodes;
    if (top) add(top, root);
  }
  sumUp(root);
  return { root, idleUs };
}

/**
 * By node, in the stretch that counts: the time from each sample to the next, as DevTools shows it. Samples themselves come late
 * while garbage collection has all cores: their number would make it look small.
 */
function selfUsOf({
  profile: { startTime, samples = [], timeDeltas = [] },
  fromUs,
  toUs,
}: Recording): Map<number, number> {
  const selfUs = new Map<number, number>();
  let atUs = startTime;
  samples.forEach((id, index) => {
    atUs += timeDeltas[index] ?? 0;
    const lastedUs = timeDeltas[index + 1] ?? 0;
    if (atUs >= fromUs && atUs <= toUs) selfUs.set(id, (selfUs.get(id) ?? 0) + lastedUs);
  });
  return selfUs;
}

function calleeOf(caller: Call, frame: Frame): Call {
  const isSame = (call: Call) => call.frame.name === frame.name && call.frame.place === frame.place;
  if (isSame(caller)) return caller;
  const known = caller.callees.find(isSame);
  if (known) return known;
  const call = callOf(frame);
  caller.callees.push(call);
  return call;
}

function callOf(frame: Frame): Call {
  return { frame, totalUs: 0, selfUs: 0, callees: [] };
}

function sumUp(call: Call): number {
  call.totalUs = call.callees.reduce((sum, callee) => sum + sumUp(callee), call.selfUs);
  return call.totalUs;
}
