declare module 'plotly.js-cartesian-dist-min' {
  /* Figures come from the server as plain JSON, so only what draws them is typed. */
  interface Plotly {
    react(place: HTMLElement, data: unknown[], layout: object, config: object): Promise<HTMLElement>;
    purge(place: HTMLElement): void;
  }
  const plotly: Plotly;
  export default plotly;
}
