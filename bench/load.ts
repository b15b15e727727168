import { Client, type Dispatcher } from 'undici';

/** The result of one slice of load. */
export interface Slice {
  /** Answers per second. */
  readonly rate: number;
  readonly seconds: number;
  /** Milliseconds from request to answer, one value per request. */
  readonly latencies: readonly number[];
  /** Number of answers with an unexpected status, by status. */
  readonly unexpected: Readonly<Record<number, number>>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

type Request = Dispatcher.RequestOptions;

/** Repeated requests of one kind: `next` returns the next request, `seen` gets its answer. */
export interface Load {
  readonly connections: number;
  readonly expected: number;
  /** Called before each slice, outside of the measured time. */
  prepare?(): void;
  next(): Request;
  seen?(answer: Answer, request: Request): void;
}

/**
 * Sends requests in a closed loop for a number of seconds: each connection sends its next request when the answer has
 * arrived.
 */
export async function load(
  origin: string,
  { connections, expected, prepare, next, seen }: Load,
  seconds: number,
): Promise<Slice> {
  prepare?.();
  const latencies: number[] = [];
  const unexpected: Record<number, number> = {};
  const start = performance.now();
  const end = start + seconds * 1000;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const client = new Client(origin);
      try {
        for (let sent = performance.now(); sent < end; sent = performance.now()) {
          const request = next();
          const answer = await ask(client, request);
          latencies.push(performance.now() - sent);
          if (answer.status !== expected) unexpected[answer.status] = (unexpected[answer.status] ?? 0) + 1;
          seen?.(answer, request);
        }
      } finally {
        await client.close();
      }
    }),
  );
  const took = (performance.now() - start) / 1000;
  return { rate: latencies.length / took, seconds: took, latencies, unexpected };
}

/**
 * Sends one request. It uses undici's `dispatch` directly, because its promises and streams would cost more than the
 * transfer.
 */
export function ask(client: Client, request: Request): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let status = 0;
    let body = '';
    client.dispatch(request, {
      onRequestStart: () => {},
      onResponseStart: (_controller, code) => {
        status = code;
      },
      onResponseData: (_controller, chunk) => {
        body += chunk.toString('latin1');
      },
      onResponseEnd: () => resolve({ status, body }),
      onResponseError: (_controller, error) => reject(error),
    });
  });
}
