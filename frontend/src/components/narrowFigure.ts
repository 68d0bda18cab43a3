/* What of a figure has no room on a narrow page. Pure. */
import type { Schemas } from '../api/client';

type Traces = Schemas['Figure']['data'];

/** Cells of a map with more columns are narrower than the numbers in them, which stand in the table, too. */
const NUMBERED_COLUMNS = 4;

export function narrowed(data: Traces): Traces {
  return data.map((trace) =>
    trace.type === 'heatmap' && Array.isArray(trace.x) && trace.x.length > NUMBERED_COLUMNS
      ? { ...trace, texttemplate: '' }
      : trace,
  );
}
