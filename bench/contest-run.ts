import type { Bench, Effort } from './bench.js';
import { checkServer, type ServerCheck } from './check.js';
import { type Contest, type Contestant, SERVERS, type ServerName } from './contests.js';
import { type Load, load, type Slice } from './load.js';
import { cpuTimes } from './machine.js';
import { pgbench } from './pgbench.js';
import { requestsOf } from './requests.js';
import { createDatabase, ServerProcess } from './server-process.js';
import { type Estimate, estimate, median, quantile } from './statistics.js';

/** What one contestant did over all of its slices. */
export interface Score {
  readonly name: string;
  /** Median answers per second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** CPU microseconds per answer, of the server's process and of PostgreSQL. */
  readonly serverCpu: number;
  readonly databaseCpu: number;
}

export interface ContestResult {
  readonly contest: Contest;
  readonly scores: readonly Score[];
  /** Ratio of each contestant to the first. */
  readonly ratios: readonly {
    readonly of: string;
    readonly over: string;
    readonly least?: number;
    readonly ratio: Estimate;
  }[];
  /** How the servers behaved before they were measured. */
  readonly checks: readonly ServerCheck[];
  /** Slices that were measured again because something else was busy. */
  readonly repeated: number;
}

interface Sample extends Slice {
  readonly serverCpu: number;
  readonly databaseCpu: number;
}

/** CPU seconds of others, per second, from which a slice counts as disturbed. */
const DISTURBED = 0.15;
const ATTEMPTS = 4;

/** Runs one contest. @throws when a server answers otherwise than it should */
export async function runContest(contest: Contest, bench: Bench): Promise<ContestResult> {
  const effort = cut(bench.effort, contest.cuts);
  const samples = new Map<string, Sample[][]>(contest.contestants.map(({ name }) => [name, []]));
  let repeated = 0;
  let checks: ServerCheck[] = [];
  for (let restart = 0; restart < (contest.isStartedOnce ? 1 : effort.restarts); restart++) {
    const field = await Field.open(contest, bench);
    try {
      checks = await field.check();
      for (const contestant of contest.contestants)
        await field.measure(contestant, bench.effort.seconds * (contest.warmUp ?? 2));
      for (let turn = 0; turn < effort.turns; turn++) {
        const pairs = new Map<string, Sample[]>();
        const there = contest.contestants;
        for (const contestant of [...there, ...there.toReversed()]) {
          const { sample, again } = await field.undisturbed(contestant, effort.seconds);
          repeated += again;
          pairs.set(contestant.name, [...(pairs.get(contestant.name) ?? []), sample]);
        }
        for (const [name, pair] of pairs) samples.get(name)?.push(pair);
      }
    } finally {
      await field.close();
    }
  }
  const scores = contest.contestants.map(({ name }) => score(name, samples));
  return { contest, scores, ratios: ratios(contest, samples), checks, repeated };
}

function cut({ restarts, turns, seconds }: Effort, cuts = 1): Effort {
  return { restarts, turns: turns * cuts, seconds: seconds / cuts };
}

/** The servers of a contest, all up at once. */
class Field {
  readonly #loads = new Map<string, Load>();

  private constructor(
    private readonly contest: Contest,
    private readonly bench: Bench,
    private readonly servers: ReadonlyMap<ServerName, ServerProcess>,
  ) {}

  static async open(contest: Contest, bench: Bench): Promise<Field> {
    const servers = new Map<ServerName, ServerProcess>();
    for (const { server } of contest.contestants) {
      if (!server || servers.has(server)) continue;
      const [file, full] = SERVERS[server];
      const variant = bench.isQuick && Number(full) > 1000 ? String(Number(full) / 100) : full; // fewer sessions
      const own = await createDatabase(bench.postgres, `bench_${server.toLowerCase().replace(/\W+/g, '_')}`);
      servers.set(server, await ServerProcess.start(file, variant, own, [], bench.directory));
    }
    return new Field(contest, bench, servers);
  }

  /** Tries every server out. @throws when ours does not do as it should; what a peer does is reported */
  async check(): Promise<ServerCheck[]> {
    const all: ServerCheck[] = [];
    for (const [name, server] of this.servers) all.push(await checkServer(name, server));
    const wrong = all.find(
      ({ server, refusesAnonymous, refusesReplay, winners }) =>
        server.startsWith('ours') && !(refusesAnonymous && refusesReplay && winners === 1),
    );
    if (wrong) throw new Error(`Not worth measuring: ${JSON.stringify(wrong)}`);
    return all;
  }

  async close(): Promise<void> {
    for (const server of this.servers.values()) await server.stop();
  }

  async undisturbed(contestant: Contestant, seconds: number): Promise<{ sample: Sample; again: number }> {
    for (let again = 0; ; again++) {
      const { sample, others } = await this.measure(contestant, seconds);
      if (others < DISTURBED || again + 1 === ATTEMPTS || this.bench.isQuick) return { sample, again };
    }
  }

  async measure(contestant: Contestant, seconds: number): Promise<{ sample: Sample; others: number }> {
    const server = contestant.server && this.servers.get(contestant.server);
    const before = await this.#cpu(server);
    const slice = server
      ? await load(server.origin, this.#load(contestant, server), seconds)
      : await pgbench(this.bench.postgres, this.contest.connections, seconds);
    const after = await this.#cpu(server);
    const answers = slice.rate * slice.seconds;
    if (Object.keys(slice.unexpected).length > 0) {
      throw new Error(`${contestant.name} answered otherwise than it should: ${JSON.stringify(slice.unexpected)}`);
    }
    const used = (part: keyof typeof before) => after[part] - before[part];
    const others =
      (used('machine') - used('server') - used('database') - used('loader') + used('stolen')) / slice.seconds;
    const perAnswer = (part: keyof typeof before) => (used(part) * 1e6) / answers;
    return { sample: { ...slice, serverCpu: perAnswer('server'), databaseCpu: perAnswer('database') }, others };
  }

  #load(contestant: Contestant, server: ServerProcess): Load {
    const known = this.#loads.get(contestant.name) ?? requestsOf(contestant.kind, server, this.contest.connections);
    this.#loads.set(contestant.name, known);
    return known;
  }

  /** CPU seconds so far. */
  async #cpu(server: ServerProcess | undefined) {
    const { user, system } = process.cpuUsage();
    const own = server ? (await server.usage()).cpu / 1e6 : 0;
    const { busy: machine = 0, stolen = 0, database = 0 } = cpuTimes() ?? {};
    return { machine, stolen, database, server: own, loader: (user + system) / 1e6 };
  }
}

function score(name: string, samples: ReadonlyMap<string, Sample[][]>): Score {
  const own = (samples.get(name) ?? []).flat();
  const latencies = own.flatMap((sample) => sample.latencies);
  return {
    name,
    rate: median(own.map(({ rate }) => rate)),
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    serverCpu: median(own.map(({ serverCpu }) => serverCpu)),
    databaseCpu: median(own.map(({ databaseCpu }) => databaseCpu)),
  };
}

/** Rates are compared within one ABBA turn only, where the machine was in the same mood for both. */
function ratios(
  { contestants, targets, compared = [] }: Contest,
  samples: ReadonlyMap<string, Sample[][]>,
): ContestResult['ratios'] {
  const first = contestants[0]?.name ?? '';
  const others = contestants.slice(1).map(({ name }) => ({ of: first, over: name }));
  const untargeted = others.filter(
    ({ of, over }) => !targets.some((t) => [t.of, t.over].sort().join() === [of, over].sort().join()),
  );
  return [...targets, ...compared, ...untargeted].map((pair) => {
    const rates = (name: string) =>
      (samples.get(name) ?? []).map((turn) => turn.reduce((sum, { rate }) => sum + rate, 0));
    const over = rates(pair.over);
    return { ...pair, ratio: estimate(rates(pair.of).map((rate, turn) => rate / (over[turn] ?? Number.NaN))) };
  });
}
