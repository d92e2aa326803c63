import type { ReactNode } from "react";

type IconProps = { readonly size?: string };

const icon = (paths: ReactNode) => {
  const Icon = ({ size = "1em" }: IconProps) => (
    <svg
      aria-hidden="true"
      fill="none"
      height={size}
      stroke="currentColor"
      strokeLinecap="round"
      strokeLinejoin="round"
      strokeWidth="2"
      viewBox="0 0 24 24"
      width={size}
    >
      {paths}
    </svg>
  );

  return Icon;
};

const SHIELD = <path d="M12 3l7.5 3v5.5c0 4.6-3.1 8-7.5 9.5-4.4-1.5-7.5-4.9-7.5-9.5V6L12 3z" />;

export const ShieldCheck = icon(
  <>
    {SHIELD}
    <path d="M8.7 12l2.3 2.3 4.3-4.6" />
  </>,
);

export const ShieldAlert = icon(
  <>
    {SHIELD}
    <path d="M12 8.2v4.3M12 15.8v.01" />
  </>,
);

export const ShieldIdle = icon(
  <>
    {SHIELD}
    <path d="M8.5 12h7" />
  </>,
);

export const ShieldBusy = icon(
  <>
    {SHIELD}
    <path d="M12 15.5v-6M9.3 11.8L12 9.2l2.7 2.6" />
  </>,
);

export const Play = icon(<path d="M7 4.8v14.4L19 12 7 4.8z" />);
export const Dots = icon(
  <g fill="currentColor" stroke="none">
    <circle cx="12" cy="5" r="2" />
    <circle cx="12" cy="12" r="2" />
    <circle cx="12" cy="19" r="2" />
  </g>,
);
export const Plus = icon(<path d="M12 5v14M5 12h14" />);
export const Hold = icon(<path d="M9 5v14M15 5v14" />);
export const Cross = icon(<path d="M6 6l12 12M18 6L6 18" />);
export const Search = icon(
  <>
    <circle cx="11" cy="11" r="6.5" />
    <path d="M16 16l4.5 4.5" />
  </>,
);
export const Stop = icon(<rect height="12" rx="1.5" width="12" x="6" y="6" />);
export const ArrowUp = icon(<path d="M12 19V5M6 11l6-6 6 6" />);
export const ArrowDown = icon(<path d="M12 5v14M6 13l6 6 6-6" />);
export const Chevron = icon(<path d="M6 9l6 6 6-6" />);
export const External = icon(<path d="M14 4h6v6M20 4l-9 9M18 14v5a1 1 0 01-1 1H5a1 1 0 01-1-1V7a1 1 0 011-1h5" />);
export const Download = icon(<path d="M12 4v11M7.5 10.5L12 15l4.5-4.5M5 19.5h14" />);
export const Upload = icon(<path d="M12 15V4M7.5 8.5L12 4l4.5 4.5M5 19.5h14" />);
export const Sliders = icon(<path d="M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5" />);
export const Calendar = icon(
  <>
    <rect height="15" rx="2" width="17" x="3.5" y="5.5" />
    <path d="M3.5 10h17M8 3v4M16 3v4" />
  </>,
);
export const FileText = icon(
  <path d="M14 3H7a1 1 0 00-1 1v16a1 1 0 001 1h10a1 1 0 001-1V7l-4-4zM14 3v4h4M9 12h6M9 16h4" />,
);
export const Copy = icon(
  <>
    <rect height="12" rx="2" width="11" x="9" y="8" />
    <path d="M5 16V6a2 2 0 012-2h8" />
  </>,
);
export const Check = icon(<path d="M5 12.5l4.5 4.5L19 7.5" />);
export const Lock = icon(
  <>
    <rect height="9" rx="1.5" width="14" x="5" y="11" />
    <path d="M8 11V8a4 4 0 018 0v3" />
  </>,
);
export const Pin = icon(<path d="M9 4h6l-1 6 3 3H7l3-3-1-6zM12 13v7" />);
