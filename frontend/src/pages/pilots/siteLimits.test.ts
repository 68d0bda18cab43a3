import { expect, it } from 'vitest';
import { limitsOf } from './siteLimits';

const sites = [
  { name: 'osaka', display_name: 'Osaka', max_epochs: 2 },
  { name: 'brno', display_name: '' },
  { name: 'lyon', display_name: 'Lyon' },
];
const known = [
  { name: 'osaka', limits: { max_epochs: 5, threads: null, memory_mb: null } },
  { name: 'brno', limits: { max_epochs: null, threads: 1, memory_mb: 900 } },
  { name: 'lyon', limits: { max_epochs: null, threads: null, memory_mb: null } },
];

it('a pilot at work has the epochs of its launch, and what the machines allow now', () => {
  expect(limitsOf({ isDraft: false, goesOn: true, sites }, known)).toEqual([
    { name: 'Osaka', limits: { max_epochs: 2, threads: null, memory_mb: null } },
    { name: 'brno', limits: { max_epochs: null, threads: 1, memory_mb: 900 } },
  ]);
});

it('of one that has ended only what it was launched with is told, and a draft would get the limits of now', () => {
  const ended = limitsOf({ isDraft: false, goesOn: false, sites }, known);
  expect(ended.map(({ name }) => name)).toEqual(['Osaka']);
  const [first] = limitsOf({ isDraft: true, goesOn: true, sites }, known);
  expect(first?.limits.max_epochs).toBe(5);
  expect(limitsOf({ isDraft: true, goesOn: true, sites }, [])).toEqual([]);
});
