import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { projectRoot } from './built';
import { PEERS, PEER_NAMES, type PeerName } from './peers';
import { WORKS } from './works';
import type { Scale, Work } from './works/work';

export interface Options {
  works: readonly Work[];
  scale: Scale;
  rounds: number;
  /** Where the results are written to. */
  folder: string;
  hasFlames: boolean;
}

interface Flags {
  short: boolean;
  only?: readonly Work[];
  peers?: readonly PeerName[];
  rounds?: number;
  out: string;
  flame: boolean;
  list: boolean;
}

const ROUNDS = 5;
const SHORT_ROUNDS = 2;
/** What the goals compare. */
const SHORT_PEERS: readonly PeerName[] = ['mercury', 'amqplib'];

/** Undefined when there is nothing to measure: a question was asked, and is answered. */
export function readOptions(args: readonly string[]): Options | undefined {
  const flags = new Command('npm run bench --')
    .description('Measures Mercury and its peers on the same broker.')
    .option('--short', 'under a minute: a few works, Mercury and what its goals compare it with', false)
    .option('--only <work,...>', 'these works', worksOf)
    .option('--peers <peer,...>', 'these peers', peersOf)
    .option('--rounds <count>', `rounds of each work (default: ${ROUNDS})`, wholeNumberOf)
    .option('--out <folder>', 'where the results go', join(projectRoot, 'bench/results'))
    .option('--flame', 'also CPU profiles and flame graphs, in flames/ of that folder; they cost some speed', false)
    .option('--list', 'prints the names of works and peers', false)
    .parse([...args], { from: 'user' })
    .opts<Flags>();
  if (flags.list) {
    for (const { name, title } of WORKS) console.log(`${name.padEnd(16)} ${title}`);
    for (const name of PEER_NAMES) console.log(`  --peers ${name.padEnd(24)} ${PEERS[name].title}`);
    return undefined;
  }
  const isShort = flags.short;
  return {
    works: flags.only ?? WORKS.filter(({ isInShort }) => isInShort || !isShort),
    scale: { isShort, peers: flags.peers ?? (isShort ? SHORT_PEERS : PEER_NAMES) },
    rounds: flags.rounds ?? (isShort ? SHORT_ROUNDS : ROUNDS),
    folder: flags.out,
    hasFlames: flags.flame,
  };
}

function worksOf(list: string): Work[] {
  return list.split(',').map((name) => {
    const work = WORKS.find((candidate) => candidate.name === name);
    if (!work) throw new InvalidArgumentError(`There is no work "${name}"; --list shows them.`);
    return work;
  });
}

function peersOf(list: string): PeerName[] {
  return list.split(',').map((name) => {
    const peer = PEER_NAMES.find((candidate) => candidate === name);
    if (!peer) throw new InvalidArgumentError(`There is no peer "${name}"; --list shows them.`);
    return peer;
  });
}

function wholeNumberOf(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('A whole number, 1 or more.');
  return number;
}
