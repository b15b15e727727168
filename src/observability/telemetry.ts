import { JwtAllauthError } from '../error.js';
import type { AuthEvents } from './auth-events.js';

type Attributes = Record<string, string | number | boolean>;

interface Span {
  setAttributes(attributes: Attributes): unknown;
  setStatus(status: { code: number }): unknown;
  end(): void;
}

interface ObservableGauge {
  addCallback(callback: (result: { observe(value: number): void }) => void): void;
}

interface Tracer {
  startActiveSpan<T>(name: string, work: (span: Span) => Promise<T>): Promise<T>;
}

interface Histogram {
  record(value: number, attributes: Attributes): void;
}

interface Counter {
  add(value: number, attributes: Attributes): void;
}

interface Meter {
  createHistogram(name: string, options: object): Histogram;
  createCounter(name: string, options: object): Counter;
  createObservableGauge(name: string, options: object): ObservableGauge;
}

/** The part of `@opentelemetry/api` that this file uses. Its own types are not imported: the package is optional. */
interface OpenTelemetry {
  readonly trace: { getTracer(name: string): Tracer };
  readonly metrics: { getMeter(name: string): Meter };
}

/** `SpanStatusCode.ERROR` of OpenTelemetry. */
const ERROR_STATUS = 2;

/** Bucket boundaries of the duration histogram. */
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/**
 * Reports spans and metrics to OpenTelemetry if `@opentelemetry/api` is installed; otherwise does nothing. Attributes
 * never contain an id, an address or a token.
 */
export class Telemetry {
  readonly #tracer: Tracer | undefined;
  readonly #meter: Meter | undefined;
  readonly #duration: Histogram | undefined;
  readonly #refusals: Counter | undefined;

  private constructor(api: OpenTelemetry | undefined) {
    this.#tracer = api?.trace.getTracer('jwt-allauth');
    this.#meter = api?.metrics.getMeter('jwt-allauth');
    this.#duration = this.#meter?.createHistogram('jwt_allauth.operation.duration', {
      description: 'How long sign-ins, rotations and other operations take, by outcome.',
      unit: 's',
      advice: { explicitBucketBoundaries: BUCKETS_SECONDS },
    });
    this.#refusals = this.#meter?.createCounter('jwt_allauth.refusals', {
      description: 'Requests that were refused with 401, 403 or dpop_proof_missing, by code and reason.',
    });
  }

  /** Loads `@opentelemetry/api` if it is installed. */
  static async load(): Promise<Telemetry> {
    return new Telemetry((await import('@opentelemetry/api').catch(() => undefined)) as OpenTelemetry | undefined);
  }

  /**
   * Runs an operation in a span and measures its duration. The attribute `outcome` is `ok`, or the name that `work`
   * sets. For an error it is the reason or code of a JwtAllauthError, else `error`.
   */
  async measure<T>(operation: string, work: (outcome: (name: string) => void) => Promise<T>): Promise<T> {
    if (!this.#tracer) return work(() => {});
    const start = performance.now();
    return this.#tracer.startActiveSpan(`jwt_allauth.${operation}`, async (span) => {
      let outcome = 'ok';
      try {
        return await work((name) => {
          outcome = name;
        });
      } catch (error) {
        const isRefusal = error instanceof JwtAllauthError;
        outcome = isRefusal ? (error.reason ?? error.code) : 'error';
        if (!isRefusal || error.httpCode >= 500) span.setStatus({ code: ERROR_STATUS });
        throw error;
      } finally {
        span.setAttributes({ outcome });
        span.end();
        this.#duration?.record((performance.now() - start) / 1000, { operation, outcome });
      }
    });
  }

  /** Counts events by name and by reason, reuse or code. */
  count(events: AuthEvents): void {
    const counter = this.#meter?.createCounter('jwt_allauth.events', { description: 'Events, by name and reason.' });
    if (!counter) return;
    events.onAny((event, details) => {
      const { reason: given, reuse, code } = details as { reason?: string; reuse?: string; code?: string };
      const reason = given ?? reuse ?? code;
      counter.add(1, { event, ...(reason && { reason }) });
    });
  }

  /** Counts requests that were refused, by code and reason. */
  countRefusal({ code, reason }: JwtAllauthError): void {
    this.#refusals?.add(1, { code, ...(reason && { reason }) });
  }

  /** Adds a gauge. `read` is called whenever metrics are collected. */
  gauge(name: string, description: string, read: () => number): void {
    const gauge = this.#meter?.createObservableGauge(`jwt_allauth.${name}`, { description });
    gauge?.addCallback((result) => result.observe(read()));
  }
}
