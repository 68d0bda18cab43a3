/* Colours that pass WCAG AA in both themes: indigo (ai) for what can be pressed, vermilion for a mark. */
import { createTheme, type MantineColorsTuple } from '@mantine/core';

const ai: MantineColorsTuple = [
  '#eef3fc',
  '#dce6f8',
  '#b9cbf0',
  '#9db7ea',
  '#7f9fe0',
  '#557bcf',
  '#3a62b8',
  '#2a4c98',
  '#243f7d',
  '#1b2f5e',
];

const ink: MantineColorsTuple = [
  '#e6e9ef',
  '#c9ced9',
  '#a9b1c0',
  '#7d8799',
  '#4a5263',
  '#363d4c',
  '#242a36',
  '#1a1f29',
  '#131720',
  '#0d1017',
];

const FONT =
  'system-ui, -apple-system, "Segoe UI", "Noto Sans", "Hiragino Sans", "Hiragino Kaku Gothic ProN", ' +
  '"Yu Gothic UI", "Yu Gothic", Meiryo, "Noto Sans CJK JP", "Noto Sans JP", sans-serif';

export const theme = createTheme({
  colors: { ai, dark: ink },
  primaryColor: 'ai',
  primaryShade: { light: 7, dark: 3 },
  autoContrast: true,
  luminanceThreshold: 0.32,
  fontFamily: FONT,
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Consolas, "Noto Sans Mono", monospace',
  headings: { fontFamily: FONT, fontWeight: '650' },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    // Help below the field, so that fields beside each other stay in line.
    InputWrapper: { defaultProps: { inputWrapperOrder: ['label', 'input', 'error', 'description'] } },
    Button: { defaultProps: { size: 'sm' } },
    Anchor: { defaultProps: { underline: 'always' } },
    Tooltip: { defaultProps: { withArrow: true, events: { hover: true, focus: true, touch: true } } },
    Select: { defaultProps: { allowDeselect: false, checkIconPosition: 'right' } },
    Modal: { defaultProps: { centered: true } },
  },
});
