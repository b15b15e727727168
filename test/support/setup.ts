import 'reflect-metadata';
import { format } from 'node:util';
import { getMetadataStorage } from 'class-validator';
import { getMetadataArgsStorage } from 'routing-controllers';
import { Container } from 'typedi';
import { vi } from 'vitest';

// Files run in one process, one after the other. Each loads the library's modules again, without the controllers,
// services and rules that another file has declared.
vi.resetModules();
vi.useRealTimers(); // a clock that one file has left would make its neighbours fail
vi.restoreAllMocks();
vi.unstubAllGlobals();
vi.unstubAllEnvs();
getMetadataArgsStorage().reset();
Container.of().reset({ strategy: 'resetServices' });
// Emptied and not replaced: class-validator-jsonschema keeps the storage that it found first.
const rules = getMetadataStorage() as unknown as Record<
  'validationMetadatas' | 'constraintMetadatas',
  Map<unknown, unknown>
>;
rules.validationMetadatas.clear();
rules.constraintMetadatas.clear();

const { useContainers } = await import('./containers.js');
const { secrets } = await import('./secrets.js');
useContainers();

const METHODS = ['log', 'info', 'warn', 'error', 'debug'] as const;
const kept = globalThis as { firstConsole?: Pick<Console, (typeof METHODS)[number]> };
kept.firstConsole ??= { ...console };
for (const method of METHODS) {
  const original = kept.firstConsole[method].bind(console);
  console[method] = (...values: unknown[]) => {
    secrets.saw(`console.${method}`, format(...values));
    original(...values);
  };
}
