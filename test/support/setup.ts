import 'reflect-metadata';
import { format } from 'node:util';
import { useContainers } from './containers.js';
import { secrets } from './secrets.js';

useContainers();

for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
  const original = console[method].bind(console);
  console[method] = (...values: unknown[]) => {
    secrets.saw(`console.${method}`, format(...values));
    original(...values);
  };
}
