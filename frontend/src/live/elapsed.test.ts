import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { follow } from './elapsed';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('goes on from what the server told, each second, without an event', () => {
  const told: number[] = [];
  const stop = follow(118, (seconds) => told.push(Math.round(seconds)));
  vi.advanceTimersByTime(3000);
  expect(told).toEqual([119, 120, 121]);
  stop();
  vi.advanceTimersByTime(3000);
  expect(told).toHaveLength(3);
});

it('does not mind a clock of the day that is wrong or set', () => {
  const told: number[] = [];
  const stop = follow(10, (seconds) => told.push(Math.round(seconds)));
  vi.setSystemTime(new Date('1999-01-01'));
  vi.advanceTimersByTime(1000);
  vi.setSystemTime(new Date('2099-01-01'));
  vi.advanceTimersByTime(1000);
  expect(told).toEqual([11, 12]);
  stop();
});

it('catches up after timers stood still, as in a tab in the background', () => {
  let now = 0;
  const told: number[] = [];
  const stop = follow(
    5,
    (seconds) => told.push(seconds),
    () => now,
  );
  now = 60_000;
  vi.advanceTimersByTime(1000);
  expect(told).toEqual([65]);
  stop();
});
