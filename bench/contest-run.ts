import type { Bench, Effort } from './bench.js';
import { checkServer, type ServerCheck } from './check.js';
import { type Contest, type Contestant, SERVERS, type ServerName } from './contests.js';
import { type Load, load, type Slice } from './load.js';
import { cpuTimes } from './machine.js';
import { pgbench } from './pgbench.js';
import { requestsOf } from './requests.js';
import { createDatabase, ServerProcess } from './server-process.js';
import { type Estimate, estimate, median, quantile } from './statistics.js';

/** The result of one contestant over all slices. */
export interface Score {
  readonly name: string;
  /** Median answers per second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** CPU time per answer in microseconds, of the server process and of PostgreSQL. */
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
  /** The checks of the servers before the measurement. */
  readonly checks: readonly ServerCheck[];
  /** Number of slices that were measured again because other processes were busy. */
  readonly repeated: number;
}

interface Sample extends Slice {
  readonly serverCpu: number;
  readonly databaseCpu: number;
}

/** CPU seconds per second that other processes may use before a slice counts as disturbed. */
const MAX_OTHER_CPU = 0.15;
const MAX_ATTEMPTS = 4;

/** Runs one contest. @throws if a server sends an unexpected answer */
export async function runContest(contest: Contest, bench: Bench): Promise<ContestResult> {
  const effort = bench.isQuick ? bench.effort : cut(bench.effort, contest.cuts);
  const samples = new Map<string, Sample[][]>(contest.contestants.map(({ name }) => [name, []]));
  let repeated = 0;
  let checks: ServerCheck[] = [];
  for (let restart = 0; restart < (contest.isStartedOnce ? 1 : effort.restarts); restart++) {
    const running = await RunningServers.open(contest, bench);
    try {
      checks = await running.check();
      for (const contestant of contest.contestants)
        await running.measure(contestant, bench.effort.seconds * (bench.isQuick ? 1 : (contest.warmUp ?? 2)));
      for (let turn = 0; turn < effort.turns; turn++) {
        const pairs = new Map<string, Sample[]>();
        const contestants = contest.contestants;
        for (const contestant of [...contestants, ...contestants.toReversed()]) {
          const { sample, repeats } = await running.measureUndisturbed(contestant, effort.seconds);
          repeated += repeats;
          pairs.set(contestant.name, [...(pairs.get(contestant.name) ?? []), sample]);
        }
        for (const [name, pair] of pairs) samples.get(name)?.push(pair);
      }
    } finally {
      await running.close();
    }
  }
  const scores = contest.contestants.map(({ name }) => score(name, samples));
  return { contest, scores, ratios: ratios(contest, samples), checks, repeated };
}

function cut({ restarts, turns, seconds }: Effort, cuts = 1): Effort {
  return { restarts, turns: turns * cuts, seconds: seconds / cuts };
}

async function startServer(name: ServerName, bench: Bench): Promise<ServerProcess> {
  const [file, full] = SERVERS[name];
  const variant = bench.isQuick && Number(full) > 1000 ? String(Number(full) / 100) : full; // fewer sessions
  const database = await createDatabase(bench.postgres, `bench_${name.toLowerCase().replace(/\W+/g, '_')}`);
  return ServerProcess.start(file, variant, database, [], bench.directory);
}

/** The running servers of a contest. */
class RunningServers {
  readonly #loads = new Map<string, Load>();

  private constructor(
    private readonly contest: Contest,
    private readonly bench: Bench,
    private readonly servers: ReadonlyMap<ServerName, ServerProcess>,
  ) {}

  /** Starts all servers at the same time. @throws if one of them does not start, after all have started or failed */
  static async open(contest: Contest, bench: Bench): Promise<RunningServers> {
    const names = [...new Set(contest.contestants.flatMap(({ server }) => server ?? []))];
    const starts = names.map(async (name) => [name, await startServer(name, bench)] as const);
    await Promise.allSettled(starts);
    return new RunningServers(contest, bench, new Map(await Promise.all(starts)));
  }

  /**
   * Checks every server. @throws if this library does not behave as it should; a failure of another server is reported
   */
  async check(): Promise<ServerCheck[]> {
    const all: ServerCheck[] = [];
    for (const [name, server] of this.servers) all.push(await checkServer(name, server));
    const wrong = all.find(
      ({ server, refusesAnonymous, refusesReplay, winners }) =>
        server.startsWith('ours') && !(refusesAnonymous && refusesReplay && winners === 1),
    );
    if (wrong) throw new Error(`The checks failed: ${JSON.stringify(wrong)}`);
    return all;
  }

  async close(): Promise<void> {
    for (const server of this.servers.values()) await server.stop();
  }

  async measureUndisturbed(contestant: Contestant, seconds: number): Promise<{ sample: Sample; repeats: number }> {
    for (let repeats = 0; ; repeats++) {
      const { sample, others } = await this.measure(contestant, seconds);
      if (others < MAX_OTHER_CPU || repeats + 1 === MAX_ATTEMPTS || this.bench.isQuick) return { sample, repeats };
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
      throw new Error(`${contestant.name} sent unexpected answers: ${JSON.stringify(slice.unexpected)}`);
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

/** Rates are compared only within one ABBA turn, so that both were measured under the same conditions. */
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
