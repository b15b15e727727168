import 'reflect-metadata';
import { format } from 'node:util';
import { useContainer } from 'routing-controllers';
import { Container } from 'typedi';
import { secrets } from './secrets.js';

useContainer(Container);

for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
  const original = console[method].bind(console);
  console[method] = (...values: unknown[]) => {
    secrets.saw(`console.${method}`, format(...values));
    original(...values);
  };
}
