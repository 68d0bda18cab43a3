/* Draws a Plotly figure that the server built. Plotly itself is loaded only when a chart is on the page. */
import { useEffect, useRef } from 'react';
import type { Schemas } from '../api/client';
import { useNarrow } from '../layout/useNarrow';
import { narrowed } from './narrowFigure';

type Figure = Pick<Schemas['Figure'], 'data' | 'layout'>;
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: 'reset' as const };

export default function Chart({ figure, label }: { figure: Figure; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  const narrow = useNarrow();

  useEffect(() => {
    let gone = false;
    void import('plotly.js-cartesian-dist-min').then(({ default: plotly }) => {
      if (gone || !place.current) return;
      // Plotly writes into what it gets; the answer in the cache must stay as it came.
      const { data, layout } = structuredClone(figure);
      // On a touch screen a finger on a chart scrolls the page instead of zooming.
      const touch = window.matchMedia('(pointer: coarse)').matches;
      const shown = narrow ? narrowed(data) : data;
      void plotly.react(place.current, shown, { ...layout, ...(touch ? { dragmode: false } : {}) }, CONFIG);
    });
    return () => {
      gone = true;
    };
  }, [figure, narrow]);

  useEffect(() => {
    const node = place.current;
    return () => {
      void import('plotly.js-cartesian-dist-min').then(({ default: plotly }) => {
        if (node) plotly.purge(node);
      });
    };
  }, []);

  const height = typeof figure.layout.height === 'number' ? figure.layout.height : 320;
  return <div ref={place} className="aw-chart" role="img" aria-label={label} style={{ minHeight: height }} />;
}
